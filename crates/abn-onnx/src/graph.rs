//! A graph as it grows: weights by the names of the state, nodes by the paths of their layers.
//!
//! Nodes are added in the order in which they are computed, so the graph is sorted. A value has
//! the name of the node that gives it.

use std::collections::{BTreeMap, BTreeSet};

use abn_core::state::State;
use burn::tensor::DType;

use crate::error::OnnxError;
use crate::proto::{AttributeProto, AttributeType, DataType, GraphProto, NodeProto, TensorProto};

/// Most bytes of a message of protobuf.
const LARGEST: usize = i32::MAX as usize;

/// Values of a constant that its name tells.
const TOLD: usize = 8;

/// Refuses what no file can hold in one piece.
pub(crate) fn fits(bytes: usize) -> Result<(), OnnxError> {
    if bytes > LARGEST {
        return Err(OnnxError::TooLarge { bytes });
    }
    Ok(())
}

/// What a node or the graph's caller gives, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value(String);

impl Value {
    /// An operand that is left out.
    pub(crate) fn none() -> Self {
        Self(String::new())
    }

    /// An input of the graph.
    pub(crate) fn input(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// What was added so far, and the weights that no layer has taken yet.
pub(crate) struct Graph {
    state: State,
    taken: BTreeMap<String, Vec<usize>>,
    constants: BTreeSet<String>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl Graph {
    /// An empty graph of these weights.
    ///
    /// # Errors
    /// There are more weights than a file can hold.
    pub(crate) fn new(state: State) -> Result<Self, OnnxError> {
        fits(state.values().map(|data| data.as_bytes().len()).sum())?;
        Ok(Self {
            state,
            taken: BTreeMap::new(),
            constants: BTreeSet::new(),
            nodes: Vec::new(),
            initializers: Vec::new(),
        })
    }

    /// The weight of that name; layers may share one.
    ///
    /// # Errors
    /// There is none, or it has another shape, or is not of 32-bit floats.
    pub(crate) fn weight(&mut self, name: String, shape: &[usize]) -> Result<Value, OnnxError> {
        if self.taken.get(&name).is_some_and(|taken| taken == shape) {
            return Ok(Value(name));
        }
        let Some(data) = self.state.remove(&name) else {
            let shape = shape.to_vec();
            return Err(OnnxError::Missing { name, shape });
        };
        let found = data.shape().to_vec();
        if found != shape {
            let expected = shape.to_vec();
            return Err(OnnxError::Shape {
                name,
                expected,
                found,
            });
        }
        let dtype = data.dtype();
        let floats = data
            .as_slice::<f32>()
            .map_err(|_| OnnxError::NotSingle {
                name: name.clone(),
                dtype,
            })
            .and_then(|floats| match dtype {
                DType::F32 => Ok(floats),
                _ => Err(OnnxError::NotSingle {
                    name: name.clone(),
                    dtype,
                }),
            })?;
        self.initializers.push(TensorProto {
            dims: shape.iter().map(|length| *length as i64).collect(),
            data_type: DataType::Float.into(),
            name: name.clone(),
            raw_data: floats
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        });
        self.taken.insert(name.clone(), found);
        Ok(Value(name))
    }

    /// Floats of that shape; equal ones have one name and stand in the file once.
    pub(crate) fn floats(&mut self, shape: &[i64], values: &[f32]) -> Value {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let texts = values.iter().map(f32::to_string);
        self.constant("float", DataType::Float, shape, texts.collect(), bytes)
    }

    /// Whole numbers in a row.
    pub(crate) fn integers(&mut self, values: &[i64]) -> Value {
        self.shaped_integers(&[values.len() as i64], values)
    }

    /// Whole numbers of that shape.
    pub(crate) fn shaped_integers(&mut self, shape: &[i64], values: &[i64]) -> Value {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let texts = values.iter().map(i64::to_string);
        self.constant("int64", DataType::Int64, shape, texts.collect(), bytes)
    }

    /// One byte, without axes.
    pub(crate) fn byte(&mut self, value: u8) -> Value {
        self.constant(
            "uint8",
            DataType::Uint8,
            &[],
            vec![value.to_string()],
            vec![value],
        )
    }

    /// A constant whose name tells kind, shape and, of a few, the values.
    fn constant(
        &mut self,
        kind: &str,
        data_type: DataType,
        shape: &[i64],
        texts: Vec<String>,
        raw_data: Vec<u8>,
    ) -> Value {
        let shape_text: Vec<String> = shape.iter().map(i64::to_string).collect();
        let values = match texts.len() {
            0..=TOLD => texts.join(","),
            _ => format!("constant {}", self.initializers.len()),
        };
        let name = format!("{kind}[{}]({values})", shape_text.join(","));
        if self.constants.insert(name.clone()) {
            self.initializers.push(TensorProto {
                dims: shape.to_vec(),
                data_type: data_type.into(),
                name: name.clone(),
                raw_data,
            });
        }
        Value(name)
    }

    /// Adds a node; its value.
    pub(crate) fn add<const N: usize>(
        &mut self,
        name: impl Into<String>,
        operator: &str,
        inputs: [&Value; N],
        attributes: Vec<AttributeProto>,
    ) -> Value {
        self.add_of(name, operator, &inputs, attributes)
    }

    /// Adds a node of any number of operands; its value.
    pub(crate) fn add_of(
        &mut self,
        name: impl Into<String>,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> Value {
        let name = name.into();
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| input.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute: attributes,
        });
        Value(name)
    }

    /// Calls a value by the name of an output, its node by its path as before.
    pub(crate) fn call(&mut self, value: &Value, name: &str) {
        for node in &mut self.nodes {
            for operand in node.input.iter_mut().chain(&mut node.output) {
                if *operand == value.0 {
                    name.clone_into(operand);
                }
            }
        }
    }

    /// Nodes and initializers.
    ///
    /// # Errors
    /// Weights are left that no layer has taken.
    pub(crate) fn finish(self) -> Result<GraphProto, OnnxError> {
        if let Some(first) = self.state.keys().next() {
            return Err(OnnxError::Unexpected {
                count: self.state.len(),
                first: first.clone(),
            });
        }
        Ok(GraphProto {
            node: self.nodes,
            initializer: self.initializers,
            ..GraphProto::default()
        })
    }
}

/// A setting that is a whole number.
pub(crate) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: Some(value),
        ..attribute(name, AttributeType::Int)
    }
}

/// A setting of several whole numbers.
pub(crate) fn integers(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        ints: values.iter().map(|value| *value as i64).collect(),
        ..attribute(name, AttributeType::Ints)
    }
}

/// A setting that is a number.
pub(crate) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        f: Some(value as f32),
        ..attribute(name, AttributeType::Float)
    }
}

/// A setting that is a text.
pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        s: Some(value.as_bytes().to_vec()),
        ..attribute(name, AttributeType::String)
    }
}

fn attribute(name: &str, r#type: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: r#type.into(),
        ..AttributeProto::default()
    }
}

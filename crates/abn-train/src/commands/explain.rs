//! `abn explain`: where a network looks in images, by several methods, as pictures and as one page.

use std::path::{Path, PathBuf};

use abn_core::explain::{ForwardPass, Layer, Method};
use abn_data::Group;
use abn_explain::method::chosen;
use abn_pages::heatmap::{Drawing, enlarge, overlay, side_by_side};
use abn_pages::{
    ExplainedImage, ExplanationPage, Files, MethodMaps, Prediction, RawLabels, RawMaps, png,
};
use abn_run::class_name::{class_of, group_of};
use abn_run::images::together;
use abn_run::measure::readback::{HostOutput, predicted, probabilities};
use abn_run::session::Session;
use abn_run::view::View;
use anyhow::{Result, ensure};

use super::{explain_detector, is_detector, open};
use crate::cli::ExplainArgs;
use crate::commands::image_files::image_files;
use crate::commands::output_folder::OutputFolder;
use crate::terminal;

/// Classes shown of each label.
const SHOWN_CLASSES: usize = 3;
/// Side to which small images are enlarged.
const PICTURE_SIDE: u32 = 256;
/// Name of the page in the output folder.
const PAGE: &str = "index.html";
/// Images a batch, and photographs. Gradients keep the features of every layer in memory.
const BATCH: usize = 32;
const PHOTOGRAPHS: usize = 8;

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, has not the method or class asked for, an image cannot be read, or the
/// folder not be written.
pub fn run(args: ExplainArgs) -> Result<()> {
    if is_detector(&args.run)? {
        return explain_detector::run(&args);
    }
    ensure!(
        args.found.min_score.is_none() && args.masks.is_none(),
        "--min-score and --masks are for detectors: `{}` is a run of a classifier",
        args.run.display()
    );
    let session = open(&args.run, &args.network)?;
    let mut work = PageBuilder::new(&args, &session)?;
    let batch = together(session.config.recipe.side(), BATCH, PHOTOGRAPHS);
    let files = image_files(&args.files)?;
    let progress = terminal::counter("explaining", files.len());
    let numbered: Vec<(usize, &PathBuf)> = (1..).zip(&files).collect();
    let mut views = Vec::new();
    for (number, file) in numbered {
        match session.view(file) {
            Ok(view) => views.push(ViewedFile { number, file, view }),
            // One bad file does not cost the others.
            Err(error) => progress.suspend(|| terminal::note(&format!("error: {error:#}"))),
        }
        progress.inc(1);
        if views.len() >= batch || number == files.len() {
            work.explain(&views)?;
            views.clear();
        }
    }
    progress.finish_and_clear();
    work.finish(files.len())
}

/// An image file and what the network sees of it.
struct ViewedFile<'a> {
    number: usize,
    file: &'a Path,
    view: View,
}

/// What the network says about one image.
struct Explained {
    logits: Vec<f32>,
    /// The classes that the maps are of, counted through all labels: one, or one of each label.
    classes: Vec<usize>,
    /// By every method for each class.
    maps: Vec<MethodMaps>,
}

/// What is asked of each image.
enum Asked {
    /// A class, counted through all labels.
    Class(usize),
    /// The predicted class of a label.
    Predicted(usize),
    /// A class of each label.
    EachLabel,
}

/// What one call of the command does, and what it has done so far.
struct PageBuilder<'a> {
    session: &'a Session,
    args: &'a ExplainArgs,
    methods: Vec<Method>,
    asked: Asked,
    drawing: Drawing,
    folder: OutputFolder,
    page: ExplanationPage,
}

impl<'a> PageBuilder<'a> {
    fn new(args: &'a ExplainArgs, session: &'a Session) -> Result<Self> {
        let config = &session.config;
        let labels = &config.labels;
        let asked = match (&args.class, args.each_label) {
            (Some(class), _) => Asked::Class(class_of(labels, class)?),
            (None, true) => Asked::EachLabel,
            (None, false) => Asked::Predicted(group_of(labels, args.group.as_deref())?),
        };
        ensure!(
            !args.each_label || labels.only().is_none(),
            "`{}` tells one label of an image; --each-label is for runs of several",
            args.run.display()
        );
        let usual: &[Method] = match (&asked, &config.model.attention) {
            (Asked::EachLabel, Some(_)) => &[Method::Attention],
            (Asked::EachLabel, None) => &[Method::GradCam],
            _ => &Method::DRAWN,
        };
        let methods = chosen(&args.methods, usual, &config.model, args.layer)?;
        let usual = Drawing::of(config.model.attention.as_ref());
        let drawing = Drawing {
            colors: args.colors,
            range: args.range.unwrap_or(usual.range),
            opacity: args.opacity.map_or(usual.opacity, |share| share as f32),
        };
        let folder = OutputFolder::check(&args.out)?;
        let page = ExplanationPage::new(methods.clone(), drawing);
        Ok(Self {
            session,
            args,
            methods,
            asked,
            drawing,
            folder,
            page,
        })
    }

    /// Explains images and writes them out. Nothing of them is kept but what the page shows.
    fn explain(&mut self, images: &[ViewedFile]) -> Result<()> {
        // All of one size, but for a run whose transform somebody has changed.
        for images in images.chunk_by(|one, other| one.view.fits(&other.view)) {
            let views: Vec<&View> = images.iter().map(|image| &image.view).collect();
            for (image, explained) in images.iter().zip(self.ask(&views)?) {
                self.write(image, explained)?;
            }
        }
        Ok(())
    }

    /// What the network says about each image, and where each method has it look.
    fn ask(&self, views: &[&View]) -> Result<Vec<Explained>> {
        let pass = ForwardPass::new(&self.session.classifier, self.session.stacked(views));
        let output = HostOutput::read(pass.output().clone(), false)?;
        let unexplained = |logits: &[f32]| Explained {
            logits: logits.to_vec(),
            classes: self.classes(logits),
            maps: Vec::new(),
        };
        let mut explained: Vec<Explained> = output.logits.rows().map(unexplained).collect();
        let rounds = explained.first().map_or(0, |image| image.classes.len());
        for round in 0..rounds {
            let classes: Vec<usize> = explained.iter().map(|image| image.classes[round]).collect();
            for method in &self.methods {
                let maps = pass.explain(*method, self.args.layer, &classes)?;
                for (image, maps) in explained.iter_mut().zip(maps) {
                    image.maps.push(MethodMaps {
                        method: *method,
                        label: (rounds > 1).then(|| self.label(round)),
                        maps,
                    });
                }
            }
        }
        Ok(explained)
    }

    /// The classes that are explained of an image.
    fn classes(&self, logits: &[f32]) -> Vec<usize> {
        let labels = &self.session.config.labels;
        match self.asked {
            Asked::Class(class) => vec![class],
            Asked::Predicted(group) => vec![self.predicted(logits, group)],
            Asked::EachLabel => {
                let groups = labels.groups().iter().enumerate();
                let of_group = |(number, group): (usize, &Group)| match group.classes.len() {
                    2 => labels.first_of(number) + 1,
                    _ => self.predicted(logits, number),
                };
                groups.map(of_group).collect()
            }
        }
    }

    /// Name of a label.
    fn label(&self, number: usize) -> String {
        self.session.config.labels.groups()[number].name.clone()
    }

    /// The predicted class of a label, counted through all labels.
    fn predicted(&self, logits: &[f32], group: usize) -> usize {
        let config = &self.session.config;
        config.labels.first_of(group) + predicted(logits, &config.model.outputs)[group]
    }

    /// The pictures of an image side by side, its maps as numbers if asked for, and its place on
    /// the page.
    fn write(&mut self, image: &ViewedFile, explained: Explained) -> Result<()> {
        let Explained {
            logits,
            classes,
            maps,
        } = explained;
        let labels = &self.session.config.labels;
        let probabilities = probabilities(&logits, &self.session.config.model.outputs);
        let named = |class: usize| {
            let (group, place) = labels.place(class).unwrap_or_default();
            labels.name(group, place).to_owned()
        };
        // Of several labels, the page says whose class the maps are of.
        let asked = match classes[..] {
            [class] if labels.only().is_none() || class != self.predicted(&logits, 0) => {
                Some((named(class), probabilities[class]))
            }
            _ => None,
        };
        let explained = ExplainedImage {
            number: image.number,
            file: image.file.display().to_string(),
            image: image.view.picture.clone(),
            predictions: self.predictions(&probabilities),
            asked,
            maps,
            files: Files::of(image.file, image.number, self.args.raw),
        };
        let ExplainedImage {
            file, maps, files, ..
        } = &explained;
        self.folder
            .write(&files.overlays, &self.picture(&explained)?)?;
        if let Some(raw) = &files.raw {
            let layer = self.args.layer;
            let text = match classes[..] {
                [class] => {
                    let label = named(class);
                    serde_json::to_vec(&RawMaps::new(file, (class, &label), layer, maps))?
                }
                _ => {
                    let names = (0..classes.len()).map(|number| self.label(number));
                    let asked: Vec<(String, usize)> = names.zip(classes).collect();
                    serde_json::to_vec(&RawLabels::new(file, layer, &asked, maps))?
                }
            };
            self.folder.write(raw, &text)?;
        }
        Ok(self.page.add(&explained)?)
    }

    /// The most probable classes of each label, or of labels of two classes all that may be present.
    fn predictions(&self, probabilities: &[f64]) -> Vec<Prediction> {
        let labels = &self.session.config.labels;
        let several = labels.only().is_none();
        if several && labels.sizes().iter().all(|classes| *classes == 2) {
            let names = labels.groups().iter().map(|group| group.name.clone());
            let present = probabilities.iter().skip(1).step_by(2).copied();
            let mut classes: Vec<(String, f64)> = names.zip(present).collect();
            classes.sort_by(|a, b| b.1.total_cmp(&a.1));
            return vec![Prediction {
                group: Some("present".to_owned()),
                classes,
            }];
        }
        let of_group = |(number, group): (usize, &Group)| {
            let first = labels.first_of(number);
            let own = &probabilities[first..first + group.classes.len()];
            let mut classes: Vec<(String, f64)> = group
                .classes
                .iter()
                .cloned()
                .zip(own.iter().copied())
                .collect();
            classes.sort_by(|a, b| b.1.total_cmp(&a.1));
            classes.truncate(SHOWN_CLASSES);
            Prediction {
                group: several.then(|| group.name.clone()),
                classes,
            }
        };
        labels.groups().iter().enumerate().map(of_group).collect()
    }

    /// The image and each method's overlay side by side, as a PNG that says in a comment which is
    /// which.
    fn picture(
        &self,
        ExplainedImage {
            image, file, maps, ..
        }: &ExplainedImage,
    ) -> Result<Vec<u8>> {
        let image = enlarge(image, PICTURE_SIDE);
        let mut pictures = vec![image.clone()];
        for maps in maps {
            let (map, drawing) = maps.drawn(&self.drawing);
            pictures.push(overlay(&image, map, &drawing));
        }
        let comment = format!("{file}; left to right: {}", self.left_to_right());
        Ok(png(&side_by_side(&pictures), &comment)?)
    }

    /// The network, and the layer if it is not the usual one.
    fn subtitle(&self) -> String {
        let network = self.session.config.recipe.title();
        let at_layer =
            |method: &Method| matches!(method, Method::GradCam | Method::GradCamPlusPlus);
        match self.args.layer {
            Layer::Features if self.methods.iter().any(at_layer) => {
                format!("{network}; Grad-CAM at the features before the last stage")
            }
            _ => network,
        }
    }

    /// What stands where in an overlay file.
    fn left_to_right(&self) -> String {
        let methods = self.methods.iter().map(|method| method.name());
        let names: Vec<String> = match (&self.asked, &self.methods[..]) {
            (Asked::EachLabel, methods) => {
                let groups = self.session.config.labels.groups().iter();
                let of_label = |group: &Group| -> Vec<String> {
                    let named = |method: &Method| match method {
                        Method::Attention => group.name.clone(),
                        method => format!("{} {}", group.name, method.name()),
                    };
                    methods.iter().map(named).collect()
                };
                groups.flat_map(of_label).collect()
            }
            _ => methods.map(str::to_owned).collect(),
        };
        format!("image, {}", names.join(", "))
    }

    /// Writes the page and says what was done.
    fn finish(mut self, files: usize) -> Result<()> {
        let (done, unread) = (self.page.images(), files - self.page.images());
        ensure!(done > 0, "none of {unread} images could be read");
        let title = format!("Where {} looks", self.args.run.display());
        let html = self.page.render(&title, &self.subtitle());
        self.folder.write(PAGE, html.as_bytes())?;
        let page = self.folder.path_of(PAGE);
        terminal::result(&format!(
            "{done} overlays ({}) and {}",
            self.left_to_right(),
            page.display()
        ))?;
        ensure!(unread == 0, "{unread} of {files} images could not be read");
        Ok(())
    }
}

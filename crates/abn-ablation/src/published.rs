//! The papers' figures: top-1 errors in percent, as printed, and where they come from.

/// ABN's paper, as the tables are cited.
pub(crate) const ABN_1: &str = "ABN, Table 1";
/// ABN's comparison of networks.
pub(crate) const ABN_2: &str = "ABN, Table 2";
/// ABN's cars.
pub(crate) const ABN_3: &str = "ABN, Table 3";
/// ABN's facial attributes.
pub(crate) const ABN_4: &str = "ABN, Table 4";
/// MANet's channel attention.
pub(crate) const MANET_1: &str = "MANet, Table 1";
/// MANet's spatial attention.
pub(crate) const MANET_2: &str = "MANet, Table 2";
/// MANet's order of the parts.
pub(crate) const MANET_3: &str = "MANet, Table 3";
/// MANet's comparison of networks.
pub(crate) const MANET_4: &str = "MANet, Table 4";

/// MANet's detectors.
pub(crate) const MANET_5: &str = "MANet, Table 5";

/// MANet, Table 5: network, and mAP at an overlap of one half, without and with MANet, as errors.
pub(crate) const DETECTORS: [(&str, [f64; 2]); 2] =
    [("resnet50", [53.8, 51.8]), ("resnet101", [51.6, 49.5])];

/// A figure that was printed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Published {
    /// Top-1 error in percent.
    pub(crate) error: f64,
    /// Network and data set, where they are not those of the row.
    pub(crate) of: &'static str,
    /// Paper and table.
    pub(crate) source: &'static str,
    /// What to know about it; mostly that it is another paper's.
    pub(crate) remark: &'static str,
}

/// ABN, Table 1: top-1 error on CIFAR-100 of g(x), g(x).M(x) and g(x).(1+M(x)).
pub(crate) const MECHANISM: [(&str, [f64; 3]); 5] = [
    ("resnet20", [31.47, 30.61, 30.46]),
    ("resnet32", [30.13, 28.34, 27.91]),
    ("resnet44", [25.90, 24.83, 25.59]),
    ("resnet56", [25.61, 24.22, 24.07]),
    ("resnet110", [24.14, 23.28, 22.82]),
];

/// ABN, Table 3: network, and top-1 error of model and make, without and with ABN.
pub(crate) const CARS: [(&str, [[f64; 2]; 2]); 2] = [
    ("VGG-16", [[14.1, 9.6], [9.3, 7.1]]),
    ("ResNet-101", [[9.8, 9.9], [2.9, 1.9]]),
];

/// ABN, Table 4: mean accuracy of forty facial attributes, without and with ABN, as errors.
pub(crate) const ATTRIBUTES: [f64; 2] = [9.31, 8.93];

/// A row of ABN's Table 2: a network on a data set, without and with ABN.
pub(crate) struct Backbone {
    /// Family, as the table names it.
    pub(crate) family: &'static str,
    /// Data set.
    pub(crate) dataset: &'static str,
    /// Network and data set, as they are written.
    pub(crate) of: &'static str,
    /// The network alone.
    pub(crate) plain: f64,
    /// Whether the authors of ABN measured that themselves, or took it from the network's paper.
    pub(crate) measured: bool,
    /// The network with the attention branch.
    pub(crate) abn: f64,
}

const fn backbone(
    family: &'static str,
    dataset: &'static str,
    of: &'static str,
    plain: f64,
    measured: bool,
    abn: f64,
) -> Backbone {
    Backbone {
        family,
        dataset,
        of,
        plain,
        measured,
        abn,
    }
}

/// ABN, Table 2, as far as both figures are printed and the data set is known here (SVHN is not).
/// The table names families alone; depths and widths are those of the authors' code and text.
pub(crate) const BACKBONES: [Backbone; 11] = [
    backbone(
        "ResNet",
        "cifar10",
        "ResNet-110, CIFAR-10",
        6.43,
        false,
        4.91,
    ),
    backbone(
        "ResNet",
        "cifar100",
        "ResNet-110, CIFAR-100",
        24.14,
        true,
        22.82,
    ),
    backbone(
        "ResNet",
        "imagenet",
        "ResNet-152, ImageNet",
        22.19,
        true,
        21.37,
    ),
    backbone(
        "WideResNet",
        "cifar10",
        "WRN-28-10, CIFAR-10",
        4.00,
        false,
        3.78,
    ),
    backbone(
        "WideResNet",
        "cifar100",
        "WRN-28-10, CIFAR-100",
        19.25,
        false,
        18.12,
    ),
    backbone(
        "DenseNet",
        "cifar10",
        "DenseNet-BC-100-12, CIFAR-10",
        4.51,
        false,
        4.17,
    ),
    backbone(
        "DenseNet",
        "cifar100",
        "DenseNet-BC-100-12, CIFAR-100",
        22.27,
        false,
        21.63,
    ),
    backbone(
        "ResNeXt",
        "cifar10",
        "ResNeXt-29 8x64d, CIFAR-10",
        3.84,
        true,
        3.80,
    ),
    backbone(
        "ResNeXt",
        "cifar100",
        "ResNeXt-29 8x64d, CIFAR-100",
        18.32,
        true,
        17.70,
    ),
    backbone(
        "SENet",
        "imagenet",
        "SE-ResNet-152, ImageNet",
        21.57,
        false,
        20.77,
    ),
    backbone(
        "VGG",
        "imagenet",
        "VGG-16 with batch norm, ImageNet",
        26.24,
        true,
        25.55,
    ),
];

/// MANet, Tables 1 to 3: ResNet-50 on ImageNet. All figures are CBAM's, too.
pub(crate) mod module {
    /// A top-1 error and what is known of where it comes from.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Figure {
        /// The error in percent.
        pub(crate) error: f64,
        /// Which measurement it is.
        pub(crate) remark: &'static str,
    }

    /// CBAM's paper has it.
    const fn known(error: f64) -> Figure {
        Figure {
            error,
            remark: "also CBAM's published figure, measured with the module in every block",
        }
    }

    /// CBAM's paper was not read again for it.
    const fn recalled(error: f64) -> Figure {
        Figure {
            error,
            remark: "also CBAM's figure as it is remembered (not checked), measured with the \
                     module in every block",
        }
    }

    /// The network alone.
    pub(crate) const BASELINE: Figure = Figure {
        error: 24.56,
        remark: "also CBAM's published figure",
    };
    /// Average pooling.
    pub(crate) const AVERAGE: Figure = known(23.14);
    /// Maximum pooling.
    pub(crate) const MAXIMUM: Figure = recalled(23.20);
    /// Both.
    pub(crate) const BOTH: Figure = known(22.80);
    /// Mean and maximum over channels, 3x3.
    pub(crate) const POOL_3: Figure = recalled(22.68);
    /// Mean and maximum over channels, 7x7.
    pub(crate) const POOL_7: Figure = known(22.66);
    /// 1x1 convolution, 3x3.
    pub(crate) const CONV_3: Figure = recalled(22.96);
    /// 1x1 convolution, 7x7.
    pub(crate) const CONV_7: Figure = recalled(22.90);
    /// Spatial, then channel.
    pub(crate) const SPATIAL_FIRST: Figure = known(22.78);
    /// Both at once.
    pub(crate) const PARALLEL: Figure = known(22.95);
}

/// MANet, Table 4: top-1 error on ImageNet of the original, SENet, ABN and MANet.
pub(crate) const NETWORKS: [(&str, [f64; 4]); 3] = [
    ("resnet50", [24.56, 23.14, 23.14, 22.66]),
    ("resnet101", [22.38, 22.35, 22.11, 21.84]),
    ("resnet152", [22.24, 21.57, 21.82, 21.95]),
];

/// Which of [`NETWORKS`] are known from another paper.
pub(crate) fn remark_on_network(network: &str, column: usize) -> &'static str {
    match (network, column) {
        ("resnet50", 0) => "also CBAM's published figure",
        ("resnet50" | "resnet101", 1) => "also CBAM's published figure for SENet",
        ("resnet152", 1) => "also the figure of SENet in ABN, Table 2",
        ("resnet50", 3) => "also CBAM's published figure for CBAM in every block",
        ("resnet101", 0) => "CBAM's paper has 23.38, one digit apart",
        (_, 2) => {
            "ABN's own code page has other figures: 23.1, 21.8 and 21.4 for depths 50, 101 and 152"
        }
        _ => "",
    }
}

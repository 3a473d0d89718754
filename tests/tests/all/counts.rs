//! Parameters and multiply-adds of the networks of the papers, against the counts of their authors'
//! code.
//!
//! Nothing is drawn or computed for it, so the largest networks take no longer than the smallest.

use abn_core::cost::Cost;
use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
use burn::tensor::Device;

/// Name, classes, parameters without a branch. CIFAR's and ImageNet's of the ABN repository:
/// FACTS.md 5.2, which counted the real code with the branch taken out. CBAM: FACTS.md 5.5.
/// Networks of 1,000 classes that torchvision has: `num_params` of its weights, the same numbers.
const BASELINES: [(&str, usize, usize); 43] = [
    ("resnet20", 10, 272_474),
    ("resnet32", 10, 466_906),
    ("resnet44", 10, 684_058),
    ("resnet56", 10, 869_530),
    ("resnet110", 10, 1_704_154),
    ("wrn-28-10", 10, 36_479_194),
    ("densenet-bc-100-12", 10, 769_162),
    ("densenet-bc-190-40", 10, 25_624_430),
    ("resnext29-8x64d", 10, 34_426_698),
    ("resnext29-16x64d", 10, 68_155_210),
    ("resnet20", 100, 278_324),
    ("resnet32", 100, 472_756),
    ("resnet44", 100, 707_188),
    ("resnet56", 100, 892_660),
    ("resnet110", 100, 1_727_284),
    ("wrn-28-10", 100, 36_536_884),
    ("densenet-bc-100-12", 100, 800_032),
    ("densenet-bc-190-40", 100, 25_821_620),
    ("resnext29-8x64d", 100, 34_518_948),
    ("resnext29-16x64d", 100, 68_247_460),
    ("resnet110-basic", 10, 1_730_714),
    // The bottleneck network that has 110 layers indeed; the reference's name for it is its
    // depth 74.
    ("resnet74", 10, 1_147_738),
    ("resnet18", 1000, 11_689_512),
    ("resnet34", 1000, 21_797_672),
    ("resnet50", 1000, 25_557_032),
    ("resnet101", 1000, 44_549_160),
    ("resnet152", 1000, 60_192_808),
    ("se-resnet18", 1000, 11_778_592),
    ("se-resnet50", 1000, 28_088_024),
    ("se-resnet101", 1000, 49_326_872),
    ("se-resnet152", 1000, 66_821_848),
    ("cbam-resnet50", 1000, 28_089_624),
    ("resnext50-32x4d", 1000, 25_028_904),
    ("resnext101-32x8d", 1000, 88_791_336),
    ("resnext101-64x4d", 1000, 83_455_272),
    ("vgg11-bn", 1000, 132_868_840),
    ("vgg13-bn", 1000, 133_053_736),
    ("vgg16-bn", 1000, 138_365_992),
    ("vgg16-bn-conv4", 1000, 138_365_992),
    ("vgg19-bn", 1000, 143_678_248),
    // He et al. 2016: 0.27 M, 0.85 M and 1.7 M, their shortcuts without parameters.
    ("resnet20-basic-a", 10, 269_722),
    ("resnet56-basic-a", 10, 853_018),
    ("resnet110-basic-a", 10, 1_727_962),
];

/// Name, classes, parameters with the authors' branch: the 32 rows of parity/parameter_counts.json,
/// from the real code, and so FACTS.md 5.2.
const BRANCHED: [(&str, usize, usize); 32] = [
    ("resnet20", 10, 479_150),
    ("resnet20", 100, 501_650),
    ("resnet32", 10, 821_550),
    ("resnet32", 100, 844_050),
    ("resnet44", 10, 1_205_230),
    ("resnet44", 100, 1_262_290),
    ("resnet56", 10, 1_531_502),
    ("resnet56", 100, 1_588_562),
    ("resnet110", 10, 2_999_726),
    ("resnet110", 100, 3_056_786),
    ("wrn-28-10", 10, 64_349_486),
    ("wrn-28-10", 100, 64_475_666),
    ("wrn-16-2", 10, 1_218_606),
    ("wrn-16-2", 100, 1_252_626),
    ("densenet-bc-100-12", 10, 1_049_958),
    ("densenet-bc-100-12", 100, 1_122_498),
    ("densenet-bc-190-40", 10, 35_230_542),
    ("densenet-bc-190-40", 100, 35_635_722),
    ("resnext29-8x64d", 10, 60_686_366),
    ("resnext29-8x64d", 100, 60_881_666),
    ("resnext29-16x64d", 10, 120_129_566),
    ("resnext29-16x64d", 100, 120_324_866),
    ("resnet18", 1000, 21_607_266),
    ("resnet34", 1000, 36_436_066),
    ("resnet50", 1000, 43_584_866),
    ("resnet101", 1000, 62_576_994),
    ("resnet152", 1000, 78_220_642),
    ("se-resnet18", 1000, 21_753_968),
    ("se-resnet34", 1000, 36_688_196),
    ("se-resnet50", 1000, 47_686_248),
    ("se-resnet101", 1000, 68_925_096),
    ("se-resnet152", 1000, 86_420_072),
];

/// Name, whether with the authors' branch, 10^9 multiply-adds at 224x224 of 1,000 classes, and the
/// error of the last digit. Three digits: `_ops` of torchvision's weights; two: FACTS.md 5.2.
const GIGA_MULTIPLY_ADDS: [(&str, bool, f64, f64); 16] = [
    ("resnet18", false, 1.814, 0.0005),
    ("resnet34", false, 3.664, 0.0005),
    ("resnet50", false, 4.089, 0.0005),
    ("resnet101", false, 7.801, 0.0005),
    ("resnet152", false, 11.514, 0.0005),
    ("resnext50-32x4d", false, 4.230, 0.0005),
    ("resnext101-32x8d", false, 16.414, 0.0005),
    ("resnext101-64x4d", false, 15.460, 0.0005),
    ("vgg11-bn", false, 7.609, 0.0005),
    ("vgg13-bn", false, 11.308, 0.0005),
    ("vgg16-bn", false, 15.470, 0.0005),
    ("vgg16-bn-conv4", false, 15.470, 0.0005),
    ("vgg19-bn", false, 19.632, 0.0005),
    ("resnet50", true, 7.62, 0.005),
    ("resnet101", true, 11.33, 0.005),
    ("resnet152", true, 15.04, 0.005),
];

fn cost(name: &str, branched: bool, classes: usize) -> (Option<AttentionConfig>, Cost) {
    let architecture = Architecture::parse(name).unwrap();
    let attention = branched.then(|| architecture.abn());
    let side = architecture.input;
    let config = ClassifierConfig {
        network: architecture.network,
        attention: attention.clone(),
        outputs: Outputs::one(classes),
    };
    (attention, config.cost([side; 2], &Device::flex()))
}

#[test]
fn parameters_without_a_branch() {
    for (name, classes, expected) in BASELINES {
        assert_eq!(
            cost(name, false, classes).1.parameters,
            expected,
            "{name}, {classes} classes"
        );
    }
}

/// The one difference to the reference: its ResNeXt declares a batch norm of 1,024 channels that
/// its forward pass never calls, and counts the scale and shift. Ours has none.
#[test]
fn parameters_with_the_authors_branch() {
    for (name, classes, expected) in BRANCHED {
        let (attention, cost) = cost(name, true, classes);
        let unused = if attention.unwrap().norm { 0 } else { 2 * 1024 };
        assert_eq!(
            cost.parameters + unused,
            expected,
            "{name}, {classes} classes"
        );
    }
}

#[test]
fn multiply_adds_at_224() {
    for (name, branched, expected, last_digit) in GIGA_MULTIPLY_ADDS {
        let giga = cost(name, branched, 1000).1.multiply_adds as f64 / 1e9;
        assert!(
            (giga - expected).abs() <= last_digit,
            "{name}, branch {branched}: {giga} not {expected}"
        );
    }
}

/// FACTS.md 5.2: the branch's block takes 2.93 G and its layers for 1,000 classes 0.60 G, at any
/// depth. FACTS.md 5.5: CBAM's paper has 3.858 G for ResNet-50 and 3.864 G with the module in every
/// block.
#[test]
fn multiply_adds_of_the_parts() {
    let giga = |name: &str, branched| cost(name, branched, 1000).1.multiply_adds as f64 / 1e9;
    for name in ["resnet50", "resnet101", "resnet152"] {
        let branch = giga(name, true) - giga(name, false);
        assert!((branch - (2.93 + 0.60)).abs() <= 0.01, "{name}: {branch}");
    }
    let modules = giga("cbam-resnet50", false) - giga("resnet50", false);
    assert!((modules - 0.006).abs() <= 0.001, "{modules}");
}

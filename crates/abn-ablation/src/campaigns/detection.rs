//! MANet, Table 5: Faster R-CNN without and with the attention network in its backbone.

use abn_core::AttentionConfig;
use abn_run::datasets::{COCO, SCENES};
use abn_run::recipe::Recipe;
use abn_run::recipe::detector::DetectorName;
use anyhow::{Result, ensure};

use crate::campaign::{Campaign, Group, Name, Row, Setting};
use crate::published::{DETECTORS, MANET_5, Published};

/// In the place of the table's networks on small images.
const SMALL: [&str; 2] = ["resnet8", "resnet14"];
/// Training images and epochs of the quick scale.
const QUICK: [usize; 2] = [240, 2];

/// Both networks without and with MANet before their last stage.
pub(crate) fn campaign(setting: &Setting) -> Result<Campaign> {
    let dataset = setting
        .dataset
        .unwrap_or(setting.scale.pick(&SCENES, &SCENES, &COCO));
    ensure!(
        dataset.objects.is_some(),
        "nothing tells where the objects of {} are: the campaign detection needs scenes, coco or voc",
        dataset.name
    );
    let [images, epochs] = QUICK;
    let mut groups = Vec::new();
    for (place, (network, errors)) in DETECTORS.into_iter().enumerate() {
        let architecture = match dataset.photographs {
            true => network,
            false => SMALL[place],
        };
        let epochs = setting.scale.pick(Some(epochs), None, None);
        let usual = Recipe::detecting(dataset, DetectorName::C4, Some(architecture), epochs)?;
        let plain = Recipe {
            attention: None,
            limit: setting.scale.pick(Some(images), None, None),
            ..usual
        };
        let with_manet = Recipe {
            attention: Some(AttentionConfig::manet()),
            ..plain.clone()
        };
        let figure = |of: usize| {
            (dataset == &COCO).then_some(Published {
                error: errors[of],
                of: "",
                source: MANET_5,
                remark: "from ImageNet's weights, on COCO 2014; CBAM published the same four figures",
            })
        };
        let row = |name: &str, recipe: &Recipe| Row::new(name, recipe, setting.seeds);
        let rows = vec![
            row("without attention", &plain).published(figure(0)),
            row("MANet", &with_manet).published(figure(1)),
        ];
        groups.push(Group::new(architecture, rows));
    }
    Ok(Campaign {
        name: Name::Detection,
        title: "Objects found with attention",
        question: "Does the attention network find objects better as a part of Faster R-CNN? The \
            branch lies before the last stage and learns which classes occur in the image; regions \
            go through the last stage. Errors are 100 less AP at an overlap of one half; multiply-adds \
            are those of backbone and branch alone, for one image.",
        source: "Table 5 of MANet has Faster R-CNN on COCO and says neither which detector nor how \
            long it was trained. CBAM (Woo et al. 2018) published the same four figures for its own \
            module, so that they may be CBAM's. Runs here start from random weights.",
        groups,
    })
}

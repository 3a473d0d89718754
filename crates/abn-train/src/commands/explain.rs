//! `abn explain`: where a network looks in images, by several methods, as pictures and as one page.

use std::path::{Path, PathBuf};

use abn_core::explain::{ForwardPass, Layer, Method};
use abn_data::Group;
use abn_explain::method::chosen;
use abn_pages::heatmap::{Drawing, enlarge, overlay, side_by_side};
use abn_pages::{ExplainedImage, ExplanationPage, Files, MethodMaps, Prediction, RawMaps, png};
use abn_run::class_name::{class_of, group_of};
use abn_run::images::together;
use abn_run::measure::readback::{HostOutput, predicted, probabilities};
use abn_run::session::Session;
use abn_run::view::View;
use anyhow::{Result, ensure};

use super::open;
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
    /// The class that the maps are of.
    class: usize,
    maps: Vec<MethodMaps>,
}

/// What one call of the command does, and what it has done so far.
struct PageBuilder<'a> {
    session: &'a Session,
    args: &'a ExplainArgs,
    methods: Vec<Method>,
    /// The class asked for, counted through all labels; otherwise that of each prediction.
    class: Option<usize>,
    /// The label whose predicted class is explained.
    group: usize,
    drawing: Drawing,
    folder: OutputFolder,
    page: ExplanationPage,
}

impl<'a> PageBuilder<'a> {
    fn new(args: &'a ExplainArgs, session: &'a Session) -> Result<Self> {
        let config = &session.config;
        let methods = chosen(&args.methods, &Method::DRAWN, &config.model, args.layer)?;
        let class = args
            .class
            .as_ref()
            .map(|class| class_of(&config.labels, class))
            .transpose()?;
        let usual = Drawing::of(config.model.attention.as_ref());
        let drawing = Drawing {
            colors: args.colors,
            range: args.range.unwrap_or(usual.range),
            ..usual
        };
        let folder = OutputFolder::check(&args.out)?;
        let page = ExplanationPage::new(methods.clone(), drawing);
        Ok(Self {
            session,
            args,
            methods,
            class,
            group: group_of(&config.labels, args.group.as_deref())?,
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
        let unexplained = |logits: &[f32]| {
            let class = self
                .class
                .unwrap_or_else(|| self.predicted(logits, self.group));
            Explained {
                logits: logits.to_vec(),
                class,
                maps: Vec::new(),
            }
        };
        let mut explained: Vec<Explained> = output.logits.rows().map(unexplained).collect();
        let classes: Vec<usize> = explained.iter().map(|image| image.class).collect();
        for name in &self.methods {
            let layer = self.args.layer;
            let maps = pass.explain(*name, layer, &classes)?;
            for (image, maps) in explained.iter_mut().zip(maps) {
                let method = *name;
                image.maps.push(MethodMaps { method, maps });
            }
        }
        Ok(explained)
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
            class,
            maps,
        } = explained;
        let config = &self.session.config;
        let probabilities = probabilities(&logits, &config.model.outputs);
        let (group, place) = config.labels.place(class).unwrap_or_default();
        let label = config.labels.name(group, place).to_owned();
        // Of several labels, the page says whose class the maps are of.
        let usual = config.labels.only().is_some() && class == self.predicted(&logits, group);
        let explained = ExplainedImage {
            number: image.number,
            file: image.file.display().to_string(),
            image: image.view.picture.clone(),
            predictions: self.predictions(&probabilities),
            asked: (!usual).then(|| (label.clone(), probabilities[class])),
            maps,
            files: Files::of(image.file, image.number, self.args.raw),
        };
        let ExplainedImage {
            file, maps, files, ..
        } = &explained;
        self.folder
            .write(&files.overlays, &self.picture(&explained)?)?;
        if let Some(raw) = &files.raw {
            let maps = RawMaps::new(file, (class, &label), self.args.layer, maps);
            self.folder.write(raw, &serde_json::to_vec(&maps)?)?;
        }
        Ok(self.page.add(&explained)?)
    }

    /// The most probable classes of each label.
    fn predictions(&self, probabilities: &[f64]) -> Vec<Prediction> {
        let labels = &self.session.config.labels;
        let several = labels.only().is_none();
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
        let comment = format!("{file}; left to right: {}", left_to_right(&self.methods));
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
            left_to_right(&self.methods),
            page.display()
        ))?;
        ensure!(unread == 0, "{unread} of {files} images could not be read");
        Ok(())
    }
}

/// What stands where in an overlay file.
fn left_to_right(methods: &[Method]) -> String {
    let names: Vec<&str> = std::iter::once("image")
        .chain(methods.iter().map(|method| method.name()))
        .collect();
    names.join(", ")
}

//! `abn explain`: where a network looks in images, by several methods, as pictures and as one page.

use std::path::{Path, PathBuf};

use abn_core::explain::explain;
use anyhow::{Context, Result, ensure};
use image::RgbImage;

use crate::cli::ExplainArgs;
use crate::commands::image_files::image_files;
use crate::commands::output_folder::OutputFolder;
use crate::commands::raw_maps::RawMaps;
use crate::device;
use crate::terminal;
use abn_core::explain::{Layer, Method};
use abn_explain::method::chosen;
use abn_pages::heatmap::{Drawing, enlarge, overlay, side_by_side};
use abn_pages::{Explanation, ExplanationPage, Files, MethodMaps};
use abn_run::class_name::class_of;
use abn_run::measure::readback::{Outcome, predicted, probabilities};
use abn_run::recipe::augmentation::Inputs;
use abn_run::session::Session;
use abn_run::view::View;

/// Classes shown an image.
const SHOWN_CLASSES: usize = 3;
/// Side to which small images are enlarged.
const PICTURE_SIDE: u32 = 256;
/// Name of the page in the output folder.
const PAGE: &str = "index.html";
/// Images a batch, and their pixels: 8 photographs of 224. Gradients keep the features of every
/// layer in memory.
const BATCH: usize = 32;
const BATCH_PIXELS: usize = 8 * 224 * 224;

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, has not the method or class asked for, an image cannot be read, or the
/// folder not be written.
pub fn run(args: ExplainArgs) -> Result<()> {
    let session = Session::open(
        &args.run,
        args.checkpoint,
        device::open(args.device.as_deref())?,
    )?;
    let mut work = Work::new(&args, &session)?;
    let files = image_files(&args.files)?;
    let progress = terminal::counter("explaining", files.len());
    let numbered: Vec<(usize, &PathBuf)> = (1..).zip(&files).collect();
    let mut views = Vec::new();
    for (number, file) in numbered {
        match session.view(file) {
            Ok(view) => views.push(Seen { number, file, view }),
            // One bad file does not cost the others.
            Err(error) => progress.suspend(|| terminal::note(&format!("error: {error:#}"))),
        }
        progress.inc(1);
        if views.len() >= batch_size(&session) || number == files.len() {
            work.explain(&views)?;
            views.clear();
        }
    }
    progress.finish_and_clear();
    work.finish(files.len())
}

/// An image file and what the network sees of it.
struct Seen<'a> {
    number: usize,
    file: &'a Path,
    view: View,
}

/// What the network says about one image.
struct Answer {
    logits: Vec<f32>,
    /// The class that the maps are of.
    class: usize,
    maps: Vec<MethodMaps>,
}

/// What one call of the command does, and what it has done so far.
struct Work<'a> {
    session: &'a Session,
    args: &'a ExplainArgs,
    methods: Vec<Method>,
    /// The class asked for; otherwise that of each prediction.
    class: Option<usize>,
    drawing: Drawing,
    folder: OutputFolder,
    page: ExplanationPage,
}

impl<'a> Work<'a> {
    fn new(args: &'a ExplainArgs, session: &'a Session) -> Result<Self> {
        let config = &session.config;
        let methods = chosen(&args.methods, &Method::DRAWN, &config.model, args.layer)?;
        let class = args
            .class
            .as_ref()
            .map(|class| class_of(&config.classes, class))
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
            drawing,
            folder,
            page,
        })
    }

    /// Explains images and writes them out. Nothing of them is kept but what the page shows.
    fn explain(&mut self, images: &[Seen]) -> Result<()> {
        // All of one size, but for a run whose transform somebody has changed.
        for images in images.chunk_by(|one, other| one.view.fits(&other.view)) {
            let views: Vec<&View> = images.iter().map(|image| &image.view).collect();
            for (image, answer) in images.iter().zip(self.ask(&views)?) {
                self.write(image, answer)?;
            }
        }
        Ok(())
    }

    /// What the network says about each image, and where each method has it look.
    fn ask(&self, views: &[&View]) -> Result<Vec<Answer>> {
        let (classifier, images) = (&self.session.classifier, self.session.stacked(views));
        let outcome = Outcome::read(classifier.forward(images.clone()), false)?;
        let answer = |logits: &[f32]| {
            let class = self.class.unwrap_or_else(|| predicted(logits));
            Answer {
                logits: logits.to_vec(),
                class,
                maps: Vec::new(),
            }
        };
        let mut answers: Vec<Answer> = outcome.logits.rows().map(answer).collect();
        let classes: Vec<usize> = answers.iter().map(|answer| answer.class).collect();
        for name in &self.methods {
            let layer = self.args.layer;
            let maps = explain(classifier, images.clone(), *name, layer, &classes)?;
            for (answer, maps) in answers.iter_mut().zip(maps) {
                answer.maps.push(MethodMaps {
                    method: *name,
                    maps,
                });
            }
        }
        Ok(answers)
    }

    /// The pictures of an image side by side, its maps as numbers if asked for, and its place on
    /// the page.
    fn write(&mut self, image: &Seen, answer: Answer) -> Result<()> {
        let Answer {
            logits,
            class,
            maps,
        } = answer;
        let probabilities = probabilities(&logits);
        let named = |class: usize| {
            (
                self.session.config.classes[class].clone(),
                probabilities[class],
            )
        };
        let mut ranked: Vec<usize> = (0..probabilities.len()).collect();
        ranked.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        let explanation = Explanation {
            number: image.number,
            file: image.file.display().to_string(),
            image: image.view.picture.clone(),
            predictions: ranked
                .iter()
                .take(SHOWN_CLASSES)
                .map(|class| named(*class))
                .collect(),
            asked: (class != predicted(&logits)).then(|| named(class)),
            maps,
            files: Files::of(image.file, image.number, self.args.raw),
        };
        let Explanation {
            file, maps, files, ..
        } = &explanation;
        self.folder
            .write(&files.overlays, &self.picture(&explanation)?)?;
        if let Some(raw) = &files.raw {
            let (label, _) = named(class);
            let maps = RawMaps::new(file, (class, &label), self.args.layer, maps);
            self.folder.write(raw, &serde_json::to_vec(&maps)?)?;
        }
        self.page.add(&explanation)
    }

    /// The image and each method's overlay side by side, as a PNG that says in a comment which is
    /// which.
    fn picture(
        &self,
        Explanation {
            image, file, maps, ..
        }: &Explanation,
    ) -> Result<Vec<u8>> {
        let image = enlarge(image, PICTURE_SIDE);
        let mut pictures = vec![image.clone()];
        for maps in maps {
            let (map, drawing) = maps.drawn(&self.drawing);
            pictures.push(overlay(&image, map, &drawing));
        }
        let comment = format!("{file}; left to right: {}", left_to_right(&self.methods));
        png(&side_by_side(&pictures), &comment)
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

/// Images that are explained together.
fn batch_size(session: &Session) -> usize {
    let side = Inputs::of_recipe(&session.config.recipe).side as usize;
    (BATCH_PIXELS / (side * side).max(1)).clamp(1, BATCH)
}

/// What stands where in an overlay file.
fn left_to_right(methods: &[Method]) -> String {
    let names: Vec<&str> = std::iter::once("image")
        .chain(methods.iter().map(|method| method.name()))
        .collect();
    names.join(", ")
}

fn png(image: &RgbImage, comment: &str) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, image.width(), image.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .add_itxt_chunk("Description".to_owned(), comment.to_owned())
        .and_then(|()| {
            let mut writer = encoder.write_header()?;
            writer.write_image_data(image.as_raw())?;
            writer.finish()
        });
    written.context("cannot encode an overlay")?;
    Ok(file)
}

//! `abn score RUN FILE...`: the curves of deletion and insertion for images one by one.

use std::fs;

use abn_core::explain::{Layer, Method};
use abn_explain::method::chosen;
use abn_explain::score::{CurvePlan, ImageCurves, MethodCurves};
use abn_pages::heatmap::Drawing;
use abn_pages::{CurvePage, CurvedImage, MOST_METHODS};
use abn_run::class_name::group_of;
use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;
use abn_run::session::Session;
use anyhow::{Result, ensure};
use serde::Serialize;

use crate::cli::ScoreArgs;
use crate::commands::image_files::image_files;
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;

/// What is drawn unless methods are named: the usual ones and a control.
const DRAWN: [Method; 5] = [
    Method::Attention,
    Method::Cam,
    Method::GradCam,
    Method::GradCamPlusPlus,
    Method::Centre,
];
/// Names in the output folder.
const PAGE: &str = "curves.html";
const NUMBERS: &str = "curves.json";

/// The JSON contract of the command with files, and of its file.
#[derive(Debug, Serialize)]
struct CurvesJson {
    run: String,
    layer: Layer,
    steps: usize,
    images: Vec<ImageJson>,
}

#[derive(Debug, Serialize)]
struct ImageJson {
    path: String,
    class: String,
    probability: f64,
    methods: Vec<MethodJson>,
}

#[derive(Debug, Serialize)]
struct MethodJson {
    method: Method,
    /// Areas under the curves.
    deletion: f64,
    insertion: f64,
    deletion_curve: Vec<f64>,
    insertion_curve: Vec<f64>,
}

/// Runs the command.
///
/// # Errors
/// A method is missing, no image can be read, or the folder cannot be written.
pub(super) fn run(args: &ScoreArgs, session: &Session) -> Result<Ending> {
    let config = &session.config;
    let plan = CurvePlan {
        methods: chosen(&args.methods, &DRAWN, &config.model, args.layer)?,
        layer: args.layer,
        group: group_of(&config.labels, args.group.as_deref())?,
        steps: args.steps,
    };
    ensure!(
        plan.methods.len() <= MOST_METHODS,
        "{} methods cannot be told apart in one chart; name at most {MOST_METHODS} by --methods",
        plan.methods.len()
    );
    let files = image_files(&args.files)?;
    let out = args.out.as_deref().unwrap_or(&args.run);
    fs::create_dir_all(out).map_err(FolderError::writing_in(out))?;
    let interrupt = Interrupt::listen()?;
    let progress = terminal::counter("scoring", files.len());
    let drawing = Drawing::of(config.model.attention.as_ref());
    let (mut page, mut images) = (CurvePage::default(), Vec::new());
    let (mut seen, mut ending) = (0, Ending::Finished);
    for file in &files {
        if interrupt.requested() {
            ending = Ending::Interrupted;
            break;
        }
        let path = file.display().to_string();
        match session.view(file) {
            Ok(view) => {
                let curves = ImageCurves::of(session, &view, &plan)?;
                let class = config.labels.name(plan.group, curves.class);
                let shown = CurvedImage {
                    file: &path,
                    image: &view.picture,
                    class,
                    curves: &curves,
                };
                page.add(shown, &drawing);
                images.push(ImageJson {
                    class: class.to_owned(),
                    probability: curves.probability,
                    methods: curves.methods.iter().map(numbers).collect(),
                    path,
                });
            }
            // One bad file does not cost the others.
            Err(error) => progress.suspend(|| terminal::note(&format!("error: {error:#}"))),
        }
        seen += 1;
        progress.inc(1);
    }
    progress.finish_and_clear();
    let unread = seen - images.len();
    if ending == Ending::Interrupted {
        terminal::note(&format!(
            "{} of {} images are done",
            images.len(),
            files.len()
        ));
        if images.is_empty() {
            return Ok(ending);
        }
    }
    ensure!(!images.is_empty(), "none of {unread} images could be read");
    let answer = CurvesJson {
        run: args.run.display().to_string(),
        layer: plan.layer,
        steps: plan.steps,
        images,
    };
    write(args, session, &page, &answer)?;
    ensure!(
        unread == 0,
        "{unread} of {} images could not be read",
        files.len()
    );
    Ok(ending)
}

fn numbers(of: &MethodCurves) -> MethodJson {
    MethodJson {
        method: of.method,
        deletion: of.deletion.area(),
        insertion: of.insertion.area(),
        deletion_curve: of.deletion.probabilities.clone(),
        insertion_curve: of.insertion.probabilities.clone(),
    }
}

fn write(args: &ScoreArgs, session: &Session, page: &CurvePage, answer: &CurvesJson) -> Result<()> {
    let out = args.out.as_deref().unwrap_or(&args.run);
    let [html, json] = [PAGE, NUMBERS].map(|name| out.join(name));
    let title = format!("What {} needs to see", args.run.display());
    let html_text = page.render(&title, &session.config.recipe.title());
    write_atomically(&json, serde_json::to_string_pretty(answer)?.as_bytes())?;
    write_atomically(&html, html_text.as_bytes())?;
    if args.json {
        return terminal::json(answer);
    }
    for image in &answer.images {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        terminal::result(&format!(
            "{}: {} {}",
            image.path,
            image.class,
            percent(image.probability)
        ))?;
        for of in &image.methods {
            terminal::result(&format!(
                "  {:<12} deletion {:>7}  insertion {:>7}",
                of.method.name(),
                percent(of.deletion),
                percent(of.insertion)
            ))?;
        }
    }
    terminal::result(&format!("page {}", html.display()))
}

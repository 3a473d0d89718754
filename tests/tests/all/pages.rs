//! The pages as people meet them: in a browser, by keyboard, mouse and finger.

use std::path::Path;

use crate::browser::Browser;
use crate::explain::{TRAIN, picture, with_run};
use crate::program::succeeds;

/// The `n`-th button of an image.
fn way(article: usize, n: usize) -> String {
    format!("article:nth-of-type({article}) .way:nth-of-type({n})")
}

/// The number of the map that lies on an image's picture; 0 for none.
#[track_caller]
fn shown(browser: &mut Browser, article: usize) -> i64 {
    let number = browser.evaluate(&format!(
        "(() => {{ const a = document.querySelector('article:nth-of-type({article})'); const on = \
         getComputedStyle(a.querySelector('.stage .look'), '::after').backgroundImage; const maps \
         = [...a.querySelectorAll('.way .look')].map(l => getComputedStyle(l, \
         '::after').backgroundImage); return new Set(maps).size == maps.length ? maps.indexOf(on) \
         : -2; }})()"
    ));
    number.as_i64().unwrap()
}

/// Nothing sticks out, and nothing was complained about or asked for.
#[track_caller]
fn check_quiet(browser: &mut Browser) {
    let width = browser
        .evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(width, 0, "the page is wider than the window");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A run, its explanations of two images, and its report.
fn pages() -> tempfile::TempDir {
    let folder = with_run("abn");
    let path = folder.path();
    picture(32, 32, 1).save(path.join("a.png")).unwrap();
    picture(300, 200, 2)
        .save(path.join("quoted\"<b>&.png"))
        .unwrap();
    succeeds(path, "explain run *.png --out maps --raw");
    folder
}

fn on_a_phone_by_keyboard_and_finger(browser: &mut Browser, page: &Path) {
    browser.resize(390, 844, true);
    browser.prefer("dark");
    browser.open(page);
    assert_eq!(
        browser.evaluate("getComputedStyle(document.body).backgroundColor"),
        "rgb(20, 21, 24)"
    );
    assert_eq!(
        [1, 2].map(|article| shown(browser, article)),
        [1, 1],
        "the trained map comes first"
    );
    let stage = "article:nth-of-type(1) .stage .look";
    let attention = browser.pixels_of(stage);
    // To the first image's buttons.
    for _ in 0..9 {
        if browser.evaluate("document.activeElement.name") == "way-1" {
            break;
        }
        browser.press("Tab", 9);
    }
    browser.press("ArrowRight", 39);
    assert_eq!(
        [1, 2].map(|article| shown(browser, article)),
        [2, 1],
        "each image has its own choice"
    );
    let cam = browser.pixels_of(stage);
    assert_ne!(cam, attention);
    let focused = "document.querySelector('.way:has(:focus-visible)').innerText.split('\\n')[0]";
    assert_eq!(browser.evaluate(focused), "CAM");
    browser.press("ArrowLeft", 37);
    assert_eq!(browser.pixels_of(stage), attention);
    browser.press("ArrowLeft", 37);
    assert_eq!(shown(browser, 1), 0, "the image alone");
    assert_ne!(browser.pixels_of(stage), attention);

    let finger = browser.middle_of(&way(2, 5));
    browser.tap(finger);
    assert_eq!([1, 2].map(|article| shown(browser, article)), [0, 4]);
    check_quiet(browser);
}

fn at_a_desk_by_mouse(browser: &mut Browser, page: &Path) {
    browser.resize(1200, 900, false);
    browser.prefer("light");
    browser.open(page);
    assert_eq!(
        browser.evaluate("getComputedStyle(document.body).backgroundColor"),
        "rgb(253, 253, 252)"
    );
    let place = browser.middle_of(&way(1, 4));
    browser.move_mouse(place);
    assert_eq!(
        [1, 2].map(|article| shown(browser, article)),
        [3, 1],
        "hovering shows"
    );
    assert_eq!(
        browser.evaluate(
            "document.querySelector('.way :checked').closest('.way').innerText.split('\\n')[0]"
        ),
        "Attention"
    );
    browser.move_mouse([2.0, 2.0]);
    assert_eq!(shown(browser, 1), 1, "and leaves no trace");
    check_quiet(browser);
}

#[test]
#[ignore = "needs chromium"]
fn explanations_are_switched_without_a_script() {
    let folder = pages();
    let page = folder.path().join("maps/index.html");
    let mut browser = Browser::start();
    on_a_phone_by_keyboard_and_finger(&mut browser, &page);
    at_a_desk_by_mouse(&mut browser, &page);
    // That nothing was complained about says something because these are.
    browser.evaluate("console.error('on purpose')");
    browser.evaluate(
        "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/a.png'}))",
    );
    let complaints = browser.complaints();
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.contains("on purpose")),
        "{complaints:?}"
    );
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.contains("127.0.0.1:9")),
        "{complaints:?}"
    );
}

#[test]
#[ignore = "needs chromium"]
fn reports_are_quiet_and_fit_a_phone() {
    let folder = pages();
    let path = folder.path();
    succeeds(path, "score run --limit 4 --steps 2 --randomised 2");
    succeeds(path, &format!("{TRAIN} --attention manet --out other"));
    succeeds(path, "stability run other --limit 20 --out run");
    succeeds(path, "compare run other --limit 20 --out run");
    succeeds(path, "eval run --failures run");
    let mut browser = Browser::start();
    for (width, phone) in [(390, true), (1200, false)] {
        for scheme in ["light", "dark"] {
            browser.resize(width, 844, phone);
            browser.prefer(scheme);
            for page in [
                "report.html",
                "score.html",
                "stability.html",
                "compare.html",
                "failures.html",
            ] {
                browser.open(&path.join("run").join(page));
                check_quiet(&mut browser);
            }
        }
    }
}

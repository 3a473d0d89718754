//! What a step found, and the report of all.

use serde_json::{Value, json};

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
    /// It took too long.
    Ended,
    /// Not begun.
    NoTime,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Ended, Self::NoTime];

    pub(super) fn is_good(self) -> bool {
        self == Self::Done
    }

    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Ended)
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Ended => "ended, for the time was over",
            Self::NoTime => "left out for want of time",
        }
    }
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) title: String,
    pub(super) commit: String,
    pub(super) command: String,
    pub(super) outcome: Outcome,
    pub(super) seconds: u64,
    /// What it printed to stdout.
    pub(super) output: String,
}

impl Record {
    /// As it is kept.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "title": self.title,
            "commit": self.commit,
            "command": self.command,
            "outcome": self.outcome.words(),
            "seconds": self.seconds,
            "output": self.output,
        })
    }

    /// What was kept; nothing of what is damaged.
    pub(super) fn of_json(kept: &Value) -> Option<Self> {
        let text = |name: &str| Some(kept[name].as_str()?.to_owned());
        let outcome = kept["outcome"].as_str()?;
        Some(Self {
            title: text("title")?,
            commit: text("commit")?,
            command: text("command")?,
            outcome: Outcome::ALL
                .into_iter()
                .find(|known| known.words() == outcome)?,
            seconds: kept["seconds"].as_u64()?,
            output: text("output")?,
        })
    }
}

/// The report in Markdown.
pub(super) fn report(device: &str, commit: &str, records: &[Record]) -> String {
    let mut lines = vec![
        format!("# {device}, abn {commit}"),
        String::new(),
        "| step | how it went | s |".to_owned(),
        "|---|---|---:|".to_owned(),
    ];
    for record in records {
        let Record {
            title,
            outcome,
            seconds,
            ..
        } = record;
        lines.push(format!("| {title} | {} | {seconds} |", outcome.words()));
    }
    for record in records {
        lines.extend([String::new(), format!("## {}", record.title), String::new()]);
        lines.push(format!("```sh\n{}\n```", record.command));
        if !record.output.is_empty() {
            let output = serde_json::from_str::<Value>(&record.output);
            let output = output.map_or_else(|_| record.output.clone(), |json| format!("{json:#}"));
            lines.extend([String::new(), format!("```text\n{output}\n```")]);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(title: &str, outcome: Outcome) -> Record {
        Record {
            title: title.to_owned(),
            commit: "c0ffee".to_owned(),
            command: "abn devices".to_owned(),
            outcome,
            seconds: 7,
            output: "cpu *".to_owned(),
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for outcome in Outcome::ALL {
            let record = record("Devices", outcome);
            assert_eq!(Record::of_json(&record.to_json()), Some(record));
        }
        assert_eq!(Record::of_json(&json!({"title": "Devices"})), None);
    }

    #[test]
    fn a_report_tells_what_went_wrong_first() {
        let records = [
            record("Devices", Outcome::Done),
            record("Speed", Outcome::Ended),
        ];
        let expected = "\
# cuda, abn c0ffee

| step | how it went | s |
|---|---|---:|
| Devices | done | 7 |
| Speed | ended, for the time was over | 7 |

## Devices

```sh
abn devices
```

```text
cpu *
```
";
        let found = report("cuda", "c0ffee", &records);
        assert!(found.starts_with(expected), "{found}");
    }
}

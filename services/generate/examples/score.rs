//! Holds exported alerts against a province's truth file: `score TRUTH.json ALERTS.jsonl`. Ends with status 1
//! when something was missed, somebody wrongly accused, or something came that nobody planted.

use std::io::{BufReader, Write};
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let truth = args.next().ok_or("give the truth file")?;
    let alerts = args.next().ok_or("give the exported alerts")?;
    let truth = generate::Truth::read(truth.as_ref())?;
    let score = generate::score::score(&truth, BufReader::new(std::fs::File::open(alerts)?))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "rule    planted missed decoys accused alerts unexpected")?;
    for (rule, n) in &score.rules {
        writeln!(
            out,
            "{rule:7} {:7} {:6} {:6} {:7} {:6} {:10}",
            n.planted, n.missed, n.decoys, n.accused, n.alerts, n.unexpected
        )?;
    }
    for missed in &score.missed {
        writeln!(
            out,
            "missed {} {}: {}",
            missed.rule,
            missed.variant,
            missed.rows.join("; ")
        )?;
    }
    for accused in &score.accused {
        writeln!(
            out,
            "accused by {} ({}): {} near {}: {}",
            accused.rule, accused.alert_id, accused.variant, accused.near, accused.row
        )?;
    }
    for unexpected in score.unexpected.iter().take(50) {
        writeln!(
            out,
            "unexpected {} {}: {}",
            unexpected.rule,
            unexpected.alert_id,
            unexpected.rows.join("; ")
        )?;
    }
    Ok(if score.is_perfect() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

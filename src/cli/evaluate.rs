//! `osteoflag evaluate RESULTS --truth TRUTH`.

mod inputs;
mod sweeps;
mod table;

use std::path::PathBuf;

use super::{Exit, Failure, output};
use crate::evaluate::{
    Kinds, Matching, Options, Sweep, evaluate, pictures, sweep_picture, sweep_table, tables,
};
use crate::report::write_atomically;
use crate::terms::FeatureId;
use inputs::{Choices, Inputs};

/// Arguments of `osteoflag evaluate`.
#[allow(clippy::doc_markdown, reason = "these comments are printed as help")]
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A findings.json, an output folder of screen, or a folder of many
    results: PathBuf,
    /// Truth: JSON, CSV or label maps (NIfTI, DICOM SEG), or a folder of such files; docs/EVALUATION.md tells how they are told
    /// apart and to which result each belongs
    #[arg(long, value_name = "PATH")]
    truth: PathBuf,
    /// Series to compare where the truth names none [default: the one with the most vertebrae]
    #[arg(long, value_name = "ID")]
    series: Option<String>,
    /// Kind of the lesions of a label map whose labels are not named like features
    #[arg(long, value_name = "FEATURE")]
    lesion_kind: Option<FeatureId>,
    /// Most memory for one label map, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    max_memory: u64,
    /// Leave out truths that have no result, instead of counting all of theirs as missed
    #[arg(long)]
    subset: bool,
    /// When a finding hits a lesion: by distance (as LUNA16) or by overlap (as PI-CAI)
    #[arg(long = "match", value_name = "RULE", value_enum, default_value_t = MatchRule::Distance)]
    rule: MatchRule,
    /// How far outside the lesion's sphere a finding's centre may lie, mm
    #[arg(long, value_name = "MM", default_value_t = 3.0)]
    margin: f64,
    /// Least intersection over union for --match overlap
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    overlap: f64,
    /// Let findings of any kind hit a lesion, not only those of its own
    #[arg(long)]
    any_kind: bool,
    /// Replicates of the bootstrap over patients; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 1000)]
    bootstrap: usize,
    /// Seed of the bootstrap
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Compare for n values of a setting from a to b; may be given several times
    #[arg(long = "sweep", value_name = "NAME=A:B:N")]
    sweeps: Vec<String>,
    /// Images of the results, for sweeps that need the pixels
    #[arg(long, value_name = "PATH", requires = "sweeps")]
    images: Option<PathBuf>,
    /// Folder for evaluation.json, tables (CSV) and pictures (SVG)
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// When a finding hits a lesion.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MatchRule {
    Distance,
    Overlap,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, quiet: bool) -> Result<Exit, Failure> {
    let options = options(arguments)?;
    let sweeps: Vec<Sweep> =
        arguments.sweeps.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(
            |error| Failure::usage(error, "first and last value are both taken".to_owned()),
        )?;
    let mut inputs = Inputs::read(
        &arguments.results,
        &arguments.truth,
        arguments.lesion_kind,
        arguments.max_memory.saturating_mul(1 << 20),
    )?;
    let choices = Choices {
        series: arguments.series.as_deref(),
        subset: arguments.subset,
        max_bytes: arguments.max_memory.saturating_mul(1 << 20),
    };
    let together = inputs.scans(&choices)?;
    if together.scans.is_empty() {
        return Err(Failure::usage("nothing is left to compare", None));
    }
    let mut evaluation = evaluate(&together.scans, &options);
    evaluation.notes.splice(0..0, together.notes);
    let mut files = vec![("evaluation.json".to_owned(), super::to_json(&evaluation)? + "\n")];
    let own = |(name, text): (&str, String)| (name.to_owned(), text);
    files.extend(tables(&evaluation).into_iter().map(own));
    files.extend(pictures(&evaluation).into_iter().map(own));
    let mut shown = vec![table::table(&evaluation)];
    let mut swept = Vec::new();
    for sweep in &sweeps {
        let images = arguments.images.as_deref();
        let result = sweeps::run(sweep, &mut inputs, &choices, &options, images, quiet)?;
        files.push((format!("sweep_{}.csv", sweep.name), sweep_table(&result)));
        files.push((format!("sweep_{}.svg", sweep.name), sweep_picture(&result)));
        files.push((format!("sweep_{}.json", sweep.name), super::to_json(&result)? + "\n"));
        shown.push(table::sweep(&result));
        swept.push(result);
    }
    if let Some(folder) = &arguments.output {
        for (name, text) in &files {
            write_atomically(&folder.join(name), text.as_bytes()).map_err(|error| Failure {
                exit: Exit::Output,
                what: error.to_string(),
                help: Some("give a folder that can be written with --output".to_owned()),
            })?;
        }
    }
    match (arguments.json, swept.is_empty()) {
        (false, _) => output::result(&shown.join("\n\n")),
        (true, true) => output::result(&super::to_json(&evaluation)?),
        (true, false) => output::result(&super::to_json(&swept)?),
    }
    if let Some(folder) = &arguments.output {
        output::message(quiet, &format!("tables and pictures in {}", folder.display()));
    }
    Ok(Exit::Complete)
}

fn options(arguments: &Arguments) -> Result<Options, Failure> {
    if !(arguments.margin.is_finite() && arguments.margin >= 0.0) {
        return Err(Failure::usage(
            format!("--margin {}: expected 0 or more", arguments.margin),
            None,
        ));
    }
    if !(0.0..=1.0).contains(&arguments.overlap) {
        return Err(Failure::usage(
            format!("--overlap {}: expected 0 to 1", arguments.overlap),
            None,
        ));
    }
    Ok(Options {
        matching: match arguments.rule {
            MatchRule::Distance => Matching::Distance { margin_mm: arguments.margin },
            MatchRule::Overlap => Matching::Overlap { least: arguments.overlap },
        },
        kinds: if arguments.any_kind { Kinds::Any } else { Kinds::Same },
        replicates: arguments.bootstrap,
        seed: arguments.seed,
    })
}

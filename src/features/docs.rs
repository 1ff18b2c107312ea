//! What the features ask, need and decide by, as Markdown: `docs/FEATURES.md` and
//! `osteoflag explain <feature>` are made here from the [`Spec`]s.

use std::fmt::Write as _;

use strum::VariantArray;

use super::{ALL, Need, Spec};
use crate::terms::FeatureId;

/// One feature as Markdown: its question, method, limits, needs and thresholds. For a feature that
/// this version does not build, what it would ask and that it is not built.
pub fn explain(feature: FeatureId) -> String {
    match ALL.iter().map(|built| built.spec()).find(|spec| spec.id == feature) {
        Some(spec) => explain_built(spec),
        None => format!(
            "## `{feature}`\n\n{}.\n\n**Not built in this version.** It answers `not_assessed` \
             (`not_built`) for every vertebra or region; nothing about it can be read from a result.\n",
            question(feature)
        ),
    }
}

/// `docs/FEATURES.md`: all features in the order of the output.
pub fn features_markdown() -> String {
    let mut out = String::from(
        "# Features\n\n\
         Made from the code (`src/features/docs.rs`); change it there.\n\n\
         A feature is one question about bone. For every vertebra it answers `present` (a candidate \
         for a reader, not a diagnosis), `absent`, `indeterminate` (looked, cannot tell) or \
         `not_assessed` (did not look), the last two with a reason. Thresholds are set with \
         `--set <feature>.<name>=value`.\n\n\
         | feature | asks | built | `absent` rules out |\n|---|---|---|---|\n",
    );
    for &id in FeatureId::VARIANTS {
        let spec = ALL.iter().map(|built| built.spec()).find(|spec| spec.id == id);
        let (built, rules_out) = match spec {
            Some(spec) => ("yes", if spec.absence_rules_out { "yes" } else { "no" }),
            None => ("no", ""),
        };
        line(&mut out, format_args!("| `{id}` | {} | {built} | {rules_out} |", question(id)));
    }
    for &id in FeatureId::VARIANTS {
        if ALL.iter().any(|built| built.spec().id == id) {
            out.push('\n');
            out.push_str(&explain(id));
        }
    }
    out
}

fn explain_built(spec: &Spec) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("## `{}`\n", spec.id));
    line(&mut out, format_args!("{}.\n", spec.title));
    line(&mut out, format_args!("**How.** {}\n", spec.method));
    line(&mut out, format_args!("**Limits.** {}\n", spec.limits));
    line(
        &mut out,
        format_args!(
            "**`absent`** {}.\n",
            if spec.absence_rules_out {
                "rules the finding out, as far as this method goes"
            } else {
                "does not rule the finding out: rules read it as unknown, never as no"
            }
        ),
    );
    line(&mut out, format_args!("**Needs.**"));
    for need in spec.needs {
        line(&mut out, format_args!("- {}", need_sentence(*need)));
    }
    out.push_str(
        "\n| threshold | default | range | what it does | source |\n|---|---|---|---|---|\n",
    );
    for threshold in spec.thresholds {
        let unit = match threshold.unit.symbol() {
            "" => String::new(),
            symbol => format!(" {symbol}"),
        };
        line(
            &mut out,
            format_args!(
                "| `{}.{}` | {}{unit} | {} to {} | {} | {} |",
                spec.id,
                threshold.name,
                threshold.default,
                threshold.range.0,
                threshold.range.1,
                threshold.meaning,
                threshold.source
            ),
        );
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn need_sentence(need: Need) -> String {
    match need {
        Need::Roles(roles) => {
            let names: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
            format!("a series of role {}", names.join(", "))
        }
        Need::Bodies => "vertebral bodies that could be cut out".to_owned(),
        Need::Canal => "the spinal canal".to_owned(),
        Need::SliceStepAtMostMm(most) => format!("slices at most {most} mm apart"),
    }
}

/// What a feature asks, built or not.
const fn question(feature: FeatureId) -> &'static str {
    match feature {
        FeatureId::T1MarrowSignalDrop => "T1 signal of marrow lost, focal or diffuse (MR)",
        FeatureId::FractureLine => "A fracture line through the body (CT, MR)",
        FeatureId::CanalEncroachment => "Spinal canal narrowed or entered (CT, MR)",
        FeatureId::EpiduralSoftTissue => "Soft tissue in the epidural space (CT, MR)",
        FeatureId::PosteriorWallDisruption => {
            "Posterior wall broken, bulging or retropulsed (CT, MR)"
        }
        FeatureId::PedicleInvolvement => "Lesion reaches a pedicle (CT, MR)",
        FeatureId::ScleroticDensity => "Bone denser than the patient's own marrow (CT)",
        FeatureId::LyticDensity => "Bone less dense than the patient's own marrow (CT)",
        FeatureId::MixedDensity => "Dense and dark parts in one lesion (CT)",
        FeatureId::AnteriorColumnErosion => "Cortex of the front of the body lost (CT)",
        FeatureId::LateralWallErosion => "Cortex of a side of the body lost (CT)",
        FeatureId::PosteriorElementInvolvement => {
            "Lesion reaches lamina, facet or process (CT, MR)"
        }
        FeatureId::CostovertebralInvolvement => "Lesion reaches the rib joint (CT, MR)",
        FeatureId::HeightLoss => "Height of the body lost (CT, MR)",
        FeatureId::Alignment => "Step, kyphosis, translation (CT, MR)",
        FeatureId::ExtraosseousSoftTissue => "Mass beyond the cortex (CT, MR)",
        FeatureId::BoneQuality => "Trabecular attenuation of unaffected bodies (CT)",
        FeatureId::CementOrMetal => "Cement, screws, stents: what is not bone (CT)",
        FeatureId::OpposedPhaseDrop => "Signal kept on opposed-phase images (MR)",
        FeatureId::FatFractionLow => "Fat fraction of marrow low (MR)",
        FeatureId::MarrowOedema => "Marrow bright on STIR or fat-suppressed T2 (MR)",
        FeatureId::PelvicLesion => "Lesion or fracture of pelvis, sacrum or femur (CT)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_row_and_those_not_built_say_so() {
        let markdown = features_markdown();
        for id in FeatureId::VARIANTS {
            assert!(markdown.contains(&format!("| `{id}` |")), "{id} has no row");
            let built = ALL.iter().any(|feature| feature.spec().id == *id);
            assert_eq!(explain(*id).contains("Not built"), !built, "{id}");
        }
    }

    #[test]
    fn every_threshold_is_listed_with_a_default_inside_its_range() {
        let markdown = features_markdown();
        for feature in ALL {
            let spec = feature.spec();
            for t in spec.thresholds {
                assert!(markdown.contains(&format!("| `{}.{}` |", spec.id, t.name)));
                assert!(t.range.0 <= t.default && t.default <= t.range.1, "{}", t.name);
                assert!(!t.source.is_empty() && !t.meaning.is_empty(), "{}", t.name);
            }
        }
    }
}

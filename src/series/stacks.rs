//! Splits the slices of a series into stacks that can each be one volume.
//!
//! First by what must be equal in a volume (size, spacing, orientation, frame of reference,
//! kernel, colour). Then, only where slices lie at the same place, by what tells volumes at one
//! place apart (echo, b value, image type, time, acquisition). What still lies at one place is
//! either the same slice sent twice or a volume that no tag tells apart. The outcome depends on
//! what the headers say, never on file names or order.

use std::cmp::Ordering;

use super::digest::{Sha, file_digest, slice_digest};
use super::record::SliceRecord;
use crate::problem::{Problem, ProblemCode, Severity};

/// Directions of rows and columns that differ by less (length of the difference, about 0.3
/// degrees) are those of one stack: headers round them.
const SAME_DIRECTION: f64 = 0.005;
/// Pixel spacings that differ by a smaller share are equal.
const SAME_SPACING: f64 = 1e-3;
/// Slices nearer than this lie at the same place, mm: below any slice distance, above the noise
/// of decimal headers.
pub(crate) const SAME_PLACE_MM: f64 = 0.02;
/// Origins that differ less within the slice plane belong to one stack, mm.
const SAME_ORIGIN_MM: f64 = 1.0;

/// A stack before its geometry is measured; slices are ordered along the normal.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) slices: Vec<SliceRecord>,
    pub(crate) problems: Vec<Problem>,
    /// Copies that were left out.
    pub(crate) duplicates: Vec<SliceRecord>,
}

/// Splits the slices of one series.
pub(crate) fn split_into_stacks(mut records: Vec<SliceRecord>) -> Vec<Stack> {
    records.sort_by(by_content);
    let mut groups: Vec<Vec<SliceRecord>> = Vec::new();
    for record in records {
        match groups.iter_mut().find(|g| g.first().is_some_and(|r| may_share_volume(r, &record))) {
            Some(group) => group.push(record),
            None => groups.push(vec![record]),
        }
    }
    let mut stacks: Vec<Stack> = Vec::new();
    for group in groups {
        if group.first().is_some_and(|r| normal(r).is_none() || r.position.is_none()) {
            let stack = Stack { slices: group, problems: Vec::new(), duplicates: Vec::new() };
            stacks.push(stack);
            continue;
        }
        for part in split_where_places_collide(group, 0) {
            stacks.extend(tell_copies_from_volumes(part));
        }
    }
    for stack in &mut stacks {
        stack.slices.sort_by(|a, b| along_normal(a).total_cmp(&along_normal(b)));
    }
    let mut stacks: Vec<Stack> = stacks.into_iter().flat_map(split_at_wide_gaps).collect();
    // The stack with most slices comes first; the rest by what the headers say.
    stacks.sort_by(|a, b| {
        b.slices.len().cmp(&a.slices.len()).then_with(|| {
            match (a.slices.first(), b.slices.first()) {
                (Some(a), Some(b)) => by_content(a, b),
                _ => Ordering::Equal,
            }
        })
    });
    stacks
}

/// Row x column: the direction in which the stack is ordered.
pub(crate) fn normal(record: &SliceRecord) -> Option<[f64; 3]> {
    let [a, b, c, d, e, f] = record.orientation?;
    let n = [b * f - c * e, c * d - a * f, a * e - b * d];
    let length = n.iter().map(|v| v * v).sum::<f64>().sqrt();
    (length > 0.5).then(|| n.map(|v| v / length))
}

/// Place along the normal, mm; 0 for a slice without place.
pub(crate) fn along_normal(record: &SliceRecord) -> f64 {
    match (normal(record), record.position) {
        (Some(n), Some(p)) => n.iter().zip(p).map(|(n, p)| n * p).sum(),
        _ => 0.0,
    }
}

/// Whether two slices could lie in one volume, whatever their places.
fn may_share_volume(a: &SliceRecord, b: &SliceRecord) -> bool {
    let near = |a: &[f64], b: &[f64], limit: f64| {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt() < limit
    };
    let same_orientation = match (&a.orientation, &b.orientation) {
        (Some(a), Some(b)) => {
            near(&a[..3], &b[..3], SAME_DIRECTION) && near(&a[3..], &b[3..], SAME_DIRECTION)
        }
        (None, None) => true,
        _ => false,
    };
    let same_spacing = match (&a.spacing, &b.spacing) {
        (Some(a), Some(b)) => {
            a.iter().zip(b).all(|(a, b)| (a - b).abs() <= SAME_SPACING * a.max(*b))
        }
        (None, None) => true,
        _ => false,
    };
    let (fa, fb) = (&a.info, &b.info);
    same_orientation
        && same_spacing
        && a.position.is_some() == b.position.is_some()
        && fa.layout.rows == fb.layout.rows
        && fa.layout.columns == fb.layout.columns
        && fa.layout_problem == fb.layout_problem
        && fa.kind == fb.kind
        && a.tags.rescale_present == b.tags.rescale_present
        && fa.frame_of_reference_uid == fb.frame_of_reference_uid
        && a.tags.convolution_kernel == b.tags.convolution_kernel
        && is_localizer(a) == is_localizer(b)
}

/// Whether `ImageType` calls the slice a localizer.
pub(crate) fn is_localizer(record: &SliceRecord) -> bool {
    record.tags.image_type.iter().any(|value| value == "LOCALIZER")
}

/// Total order by what the headers say; equal only for slices that no header tells apart.
fn by_content(a: &SliceRecord, b: &SliceRecord) -> Ordering {
    let numbers = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| a.total_cmp(b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len()))
    };
    let some = |v: &Option<f64>| v.unwrap_or(f64::NEG_INFINITY);
    let (ka, kb) = (&a.keys, &b.keys);
    let slice = |v: &Option<[f64; 6]>| v.map(|v| v.to_vec()).unwrap_or_default();
    numbers(&slice(&a.orientation), &slice(&b.orientation))
        .then_with(|| along_normal(a).total_cmp(&along_normal(b)))
        .then_with(|| numbers(&a.position.unwrap_or_default(), &b.position.unwrap_or_default()))
        .then_with(|| numbers(&a.spacing.unwrap_or_default(), &b.spacing.unwrap_or_default()))
        .then_with(|| a.info.layout.rows.cmp(&b.info.layout.rows))
        .then_with(|| a.info.layout.columns.cmp(&b.info.layout.columns))
        .then_with(|| a.info.frame_of_reference_uid.cmp(&b.info.frame_of_reference_uid))
        .then_with(|| a.tags.convolution_kernel.cmp(&b.tags.convolution_kernel))
        .then_with(|| some(&ka.echo_number).total_cmp(&some(&kb.echo_number)))
        .then_with(|| some(&a.tags.echo_time_ms).total_cmp(&some(&b.tags.echo_time_ms)))
        .then_with(|| some(&a.tags.diffusion_b_value).total_cmp(&some(&b.tags.diffusion_b_value)))
        .then_with(|| a.tags.image_type.cmp(&b.tags.image_type))
        .then_with(|| ka.stack.cmp(&kb.stack))
        .then_with(|| some(&ka.temporal_position).total_cmp(&some(&kb.temporal_position)))
        .then_with(|| some(&ka.acquisition_number).total_cmp(&some(&kb.acquisition_number)))
        .then_with(|| some(&ka.cardiac_phase).total_cmp(&some(&kb.cardiac_phase)))
        .then_with(|| some(&ka.trigger_time_ms).total_cmp(&some(&kb.trigger_time_ms)))
        .then_with(|| numbers(&ka.dimension_index, &kb.dimension_index))
        .then_with(|| some(&ka.instance_number).total_cmp(&some(&kb.instance_number)))
        .then_with(|| ka.acquisition_time.cmp(&kb.acquisition_time))
        .then_with(|| ka.content_time.cmp(&kb.content_time))
        .then_with(|| a.info.sop_instance_uid.cmp(&b.info.sop_instance_uid))
        .then_with(|| a.source.frame.cmp(&b.source.frame))
}

/// An attribute by which slices at one place are told apart; the text is compared, nothing else.
type Attribute = fn(&SliceRecord) -> String;

/// In the order in which they are tried.
const ATTRIBUTES: [Attribute; 11] = [
    |r| in_plane_origin(r).map_or_else(String::new, |o| format!("{} {}", o[0], o[1])),
    |r| format!("{:?}", r.keys.stack),
    |r| format!("{:?}", r.tags.image_type),
    |r| format!("{:?} {:?}", r.keys.echo_number, r.tags.echo_time_ms),
    |r| format!("{:?}", r.tags.echo_time_ms),
    |r| format!("{:?}", r.tags.diffusion_b_value),
    |r| format!("{:?}", r.tags.complex_image_component),
    |r| format!("{:?}", r.keys.temporal_position),
    |r| format!("{:?}", r.keys.acquisition_number),
    |r| format!("{:?}", r.keys.cardiac_phase),
    |r| format!("{:?}", r.keys.trigger_time_ms),
];

/// Origin within the slice plane, in steps of [`SAME_ORIGIN_MM`].
fn in_plane_origin(record: &SliceRecord) -> Option<[i64; 2]> {
    let (v, p) = (record.orientation?, record.position?);
    let dot = |d: &[f64]| d.iter().zip(p).map(|(d, p)| d * p).sum::<f64>();
    let step = |mm: f64| libm::round(mm / SAME_ORIGIN_MM) as i64;
    Some([step(dot(&v[..3])), step(dot(&v[3..]))])
}

/// Slices in runs of one place each; `slices` must be ordered along the normal.
fn places(slices: &[SliceRecord]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for (n, slice) in slices.iter().enumerate() {
        let place = along_normal(slice);
        match runs.last_mut() {
            Some(run) if place - last < SAME_PLACE_MM => run.end = n + 1,
            _ => {
                runs.push(n..n + 1);
                last = place;
            }
        }
    }
    runs
}

/// Slices that share their place with an earlier one.
fn collisions(slices: &[SliceRecord]) -> usize {
    slices.len() - places(slices).len()
}

/// Splits by the first attribute that parts colliding slices without shattering the group, and
/// its parts again by the later ones.
fn split_where_places_collide(
    mut group: Vec<SliceRecord>,
    first_attribute: usize,
) -> Vec<Vec<SliceRecord>> {
    group
        .sort_by(|a, b| along_normal(a).total_cmp(&along_normal(b)).then_with(|| by_content(a, b)));
    let runs = places(&group);
    let most = runs.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    if most < 2 {
        return vec![group];
    }
    let colliding = group.len() - runs.len();
    for (n, attribute) in ATTRIBUTES.iter().enumerate().skip(first_attribute) {
        let mut parts: Vec<(String, Vec<SliceRecord>)> = Vec::new();
        for slice in &group {
            let value = attribute(slice);
            if let Some((_, part)) = parts.iter_mut().find(|(v, _)| *v == value) {
                part.push(slice.clone());
            } else if parts.len() < (2 * most).max(4) {
                parts.push((value, vec![slice.clone()]));
            } else {
                // A value for (nearly) every slice, such as an acquisition number that counts
                // slices, does not tell volumes apart.
                parts.clear();
                break;
            }
        }
        let left: usize = parts.iter().map(|(_, part)| collisions(part)).sum();
        if parts.len() >= 2 && left < colliding {
            return parts
                .into_iter()
                .flat_map(|(_, part)| split_where_places_collide(part, n + 1))
                .collect();
        }
    }
    vec![group]
}

/// Parts slices at one place into copies (left out but one) and volumes that no tag tells apart.
fn tell_copies_from_volumes(slices: Vec<SliceRecord>) -> Vec<Stack> {
    let runs = places(&slices);
    if runs.len() == slices.len() {
        return vec![Stack { slices, problems: Vec::new(), duplicates: Vec::new() }];
    }
    let mut volumes: Vec<Vec<SliceRecord>> = Vec::new();
    let mut duplicates: Vec<SliceRecord> = Vec::new();
    let mut shared_places = 0;
    for run in runs {
        let here = slices.get(run).unwrap_or_default();
        let kept = if here.len() < 2 {
            here.to_vec()
        } else {
            let (kept, copies) = without_copies(here);
            duplicates.extend(copies);
            kept
        };
        shared_places += usize::from(kept.len() > 1);
        for (n, slice) in kept.into_iter().enumerate() {
            match volumes.get_mut(n) {
                Some(volume) => volume.push(slice),
                None => volumes.push(vec![slice]),
            }
        }
    }
    let mut problems = Vec::new();
    if !duplicates.is_empty() {
        let mut problem = Problem::new(
            ProblemCode::DuplicateSlice,
            Severity::Note,
            format!("{} slices came more than once with equal pixels", duplicates.len()),
        )
        .with_number("duplicates", duplicates.len() as f64);
        problem.files = duplicates.iter().map(|slice| slice.source.path.clone()).collect();
        problem.files.sort();
        problems.push(problem);
    }
    if shared_places > 0 {
        problems.push(
            Problem::new(
                ProblemCode::SamePositionDifferentPixels,
                Severity::Warning,
                format!(
                    "{shared_places} places hold several slices with different pixels that no tag tells apart; they were counted into {} stacks",
                    volumes.len()
                ),
            )
            .with_number("places", shared_places as f64)
            .with_number("stacks", volumes.len() as f64),
        );
    }
    let mut stacks: Vec<Stack> = volumes
        .into_iter()
        .map(|slices| Stack { slices, problems: problems.clone(), duplicates: Vec::new() })
        .collect();
    if let Some(first) = stacks.first_mut() {
        first.duplicates = duplicates;
    }
    stacks
}

/// Parts slices of one place into one of each content, ordered by time and number, and the rest.
/// Of copies, the file with the smallest digest stays.
fn without_copies(here: &[SliceRecord]) -> (Vec<SliceRecord>, Vec<SliceRecord>) {
    let mut with_digests: Vec<(Sha, Sha, SliceRecord)> = here
        .iter()
        .map(|slice| {
            let file = file_digest(&slice.source.path).unwrap_or([0xFF; 32]);
            (slice_digest(slice), file, slice.clone())
        })
        .collect();
    with_digests.sort_by(|a, b| {
        (&a.0, &a.1, a.2.source.frame, &a.2.source.path).cmp(&(
            &b.0,
            &b.1,
            b.2.source.frame,
            &b.2.source.path,
        ))
    });
    let mut kept: Vec<(Sha, SliceRecord)> = Vec::new();
    let mut copies = Vec::new();
    for (digest, _, slice) in with_digests {
        if kept.last().is_some_and(|(last, _)| *last == digest) {
            copies.push(slice);
        } else {
            kept.push((digest, slice));
        }
    }
    kept.sort_by(|(da, a), (db, b)| {
        let number = |r: &SliceRecord| r.keys.instance_number.unwrap_or(f64::NEG_INFINITY);
        numbers_of_frames(&a.keys.dimension_index, &b.keys.dimension_index)
            .then_with(|| number(a).total_cmp(&number(b)))
            .then_with(|| a.keys.acquisition_time.cmp(&b.keys.acquisition_time))
            .then_with(|| a.keys.content_time.cmp(&b.keys.content_time))
            .then_with(|| a.source.frame.cmp(&b.source.frame))
            .then_with(|| da.cmp(db))
    });
    (kept.into_iter().map(|(_, slice)| slice).collect(), copies)
}

fn numbers_of_frames(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// Parts a stack where its halves have nothing to do with each other: at a gap of three or more
/// steps that is also wider than 10 mm, and at a gap behind which slices begin aside (blocks
/// planned one by one). Another gap stays in the stack and is reported; at these the mean step
/// would put slices far from where they are.
fn split_at_wide_gaps(stack: Stack) -> Vec<Stack> {
    let moves: Vec<[f64; 3]> = stack
        .slices
        .iter()
        .zip(stack.slices.iter().skip(1))
        .filter_map(|(a, b)| move_between(a, b))
        .collect();
    if moves.len() < 2 || moves.len() + 1 != stack.slices.len() {
        return vec![stack];
    }
    let middle = [0, 1, 2]
        .map(|axis| median(&moves.iter().filter_map(|m| m.get(axis).copied()).collect::<Vec<_>>()));
    let [step, along_row, along_column] = middle;
    let pixel = stack
        .slices
        .first()
        .and_then(|slice| slice.spacing)
        .map_or(f64::INFINITY, |spacing| spacing.into_iter().fold(0.0, f64::max));
    let parts_here = |[forth, row, column]: [f64; 3]| {
        let steps = forth / step;
        let aside = (row - along_row * steps).hypot(column - along_column * steps);
        (steps > 2.9 && forth > 10.0) || (steps > 1.5 && aside > pixel)
    };
    let Stack { slices, problems, mut duplicates } = stack;
    let mut parts: Vec<Vec<SliceRecord>> = vec![Vec::new()];
    for (n, slice) in slices.into_iter().enumerate() {
        if n > 0 && moves.get(n - 1).is_some_and(|&m| parts_here(m)) {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(slice);
        }
    }
    parts
        .into_iter()
        .map(|slices| Stack {
            slices,
            problems: problems.clone(),
            duplicates: std::mem::take(&mut duplicates),
        })
        .collect()
}

/// From one slice's origin to the next, mm: along the normal, the rows and the columns of the
/// first.
fn move_between(a: &SliceRecord, b: &SliceRecord) -> Option<[f64; 3]> {
    let (from, to, directions, n) = (a.position?, b.position?, a.orientation?, normal(a)?);
    let dot = |direction: &[f64]| -> f64 {
        direction.iter().zip(from.iter().zip(to)).map(|(d, (from, to))| d * (to - from)).sum()
    };
    Some([dot(&n), dot(&directions[..3]), dot(&directions[3..])])
}

/// The median; the upper of the two middle values of an even number. 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

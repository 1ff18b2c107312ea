//! False flags of the CT features on untouched series, and inserted lesions found and missed.
//!
//! `cargo run --example lesion_trial -- DUMPS flags|insert|walls [SEEDS]`: DUMPS holds for each series
//! `<name>.raw` (int16 Hounsfield units, `[k, j, i]`), `<name>.json` (size, origin, steps in LPS
//! mm) and `<name>.truth.json` (true centres, for printing levels). Development only.
#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a development tool: it may stop at the first surprise"
)]

mod raw_volume;

use std::path::Path;

use osteoflag::anatomy::{Anatomy, Vertebra, VertebraId, VertebralBody};
use osteoflag::features::{Context, Observation, Settings, Site, assess_series};
use osteoflag::geometry::{LocalPoint, LpsPoint, VoxelIndex};
use osteoflag::series::SeriesId;
use osteoflag::terms::{ContrastMedium, FeatureId, Role, Status};
use osteoflag::volume::{Image, Volume};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn floats(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}
fn point(v: &Value) -> LpsPoint {
    let f = floats(v);
    LpsPoint::new(f[0], f[1], f[2])
}
fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

struct Scan {
    name: String,
    volume: Volume<i16>,
    anatomy: Anatomy,
    named: std::collections::BTreeMap<VertebraId, String>,
}

fn load(dumps: &Path, name: &str) -> Scan {
    let volume = raw_volume::load(&dumps.join(format!("{name}.json")));
    let anatomy = osteoflag::anatomy::ct::find(&volume);
    // Levels by the truth beside the dump, for printing.
    let truth = read_json(&dumps.join(format!("{name}.truth.json")));
    let mut named = std::collections::BTreeMap::new();
    for t in truth["vertebrae"].as_array().unwrap() {
        let centre = point(&t["centroid_lps_mm"]);
        if let Some(v) = anatomy
            .vertebrae
            .iter()
            .min_by(|a, b| a.centroid.distance(centre).total_cmp(&b.centroid.distance(centre)))
            && v.centroid.distance(centre) < 10.0
        {
            named.insert(v.id.clone(), t["level"].as_str().unwrap_or("?").to_owned());
        }
    }
    Scan { name: name.to_owned(), volume, anatomy, named }
}

fn assess(scan: &Scan, voxels: Vec<i16>, settings: &Settings) -> Vec<Observation> {
    let image = Image::Ct(Volume {
        grid: scan.volume.grid.clone(),
        voxels,
        validity: scan.volume.validity.clone(),
    });
    let context = Context {
        series: &SeriesId(scan.name.clone()),
        role: Role::CtSoft,
        contrast_medium: ContrastMedium::Unknown,
        image: &image,
        anatomy: &scan.anatomy,
        settings,
    };
    assess_series(&context)
}

fn vertebra_of<'a>(scan: &'a Scan, observation: &Observation) -> &'a Vertebra {
    let Site::Vertebra(id) = &observation.site else { panic!("no vertebra") };
    scan.anatomy.vertebrae.iter().find(|v| v.id == *id).unwrap()
}

fn measure(observation: &Observation, name: &str) -> f64 {
    observation.measurements.iter().find(|m| m.name == name).map_or(f64::NAN, |m| m.value)
}

fn flags(scan: &Scan, settings: &Settings, out: &Path) {
    for v in &scan.anatomy.vertebrae {
        let body = v.body.as_ref();
        eprintln!(
            "{:10.10} {:3} {:4} guess {:?} {:?} view {:.2} conf {:.2} body {:.2} height {:.1} in view {:?}",
            scan.name,
            v.id,
            scan.named.get(&v.id).map_or("-", String::as_str),
            v.section_guess,
            v.level,
            v.fraction_in_view.get(),
            v.confidence.get(),
            body.map_or(f64::NAN, |b| b.confidence.get()),
            body.map_or(f64::NAN, |b| b.surface.upper.height(0.0, 0.0)
                - b.surface.lower.height(0.0, 0.0)),
            body.map(|b| b.surface.in_view_s),
        );
    }
    for pair in scan.anatomy.vertebrae.windows(2) {
        let (Some(a), Some(b)) = (&pair[0].body, &pair[1].body) else { continue };
        let s = |p: LpsPoint| a.frame.to_local(p).s;
        let up = a.surface.upper.height(0.0, 0.0);
        let low =
            s(b.frame.to_lps(LocalPoint { s: b.surface.lower.height(0.0, 0.0), v: 0.0, u: 0.0 }));
        let far = s(pair[1].centroid);
        eprintln!(
            "PAIR {:8.8} {}-{} upper {:.1} next lower {:.1} middle {:.1} next centre {:.1} disc above {:?} disc below next {:?}",
            scan.name,
            pair[0].id,
            pair[1].id,
            up,
            low,
            0.5 * far,
            far,
            pair[0].disc_above.map(|d| (s(d.frame.origin), d.half_height.mm())),
            pair[1].disc_below.map(|d| (s(d.frame.origin), d.half_height.mm()))
        );
    }
    let outlines: Vec<_> = scan.anatomy.vertebrae.iter().filter_map(|v| v.body.as_ref().map(|b| serde_json::json!({
        "id": v.id.0, "origin": [b.frame.origin.x(), b.frame.origin.y(), b.frame.origin.z()],
        "up": [b.frame.up.x(), b.frame.up.y(), b.frame.up.z()], "anterior": [b.frame.anterior.x(), b.frame.anterior.y(), b.frame.anterior.z()],
        "first": b.surface.first_outline_s, "outlines": b.surface.outlines.iter().map(|o| o.to_vec()).collect::<Vec<_>>(),
        "upper": b.surface.upper.coefficients, "lower": b.surface.lower.coefficients,
    }))).collect();
    std::fs::write(
        out.join(format!("{}.bodies.json", scan.name)),
        serde_json::to_vec(&outlines).unwrap(),
    )
    .unwrap();
    let observations = assess(scan, scan.volume.voxels.clone(), settings);
    let mut drawn = Vec::new();
    for o in &observations {
        if o.reason == Some(osteoflag::terms::Reason::NotBuilt)
            || !matches!(o.site, Site::Vertebra(_))
        {
            continue;
        }
        let v = vertebra_of(scan, o);
        let level = scan.named.get(&v.id).cloned().unwrap_or("-".to_owned());
        let numbers: Vec<String> =
            o.measurements.iter().map(|m| format!("{}={}", m.name, m.value)).collect();
        println!(
            "{:10.10} {:4} {:4} {:.10} {:?} {} | {} | {}",
            scan.name,
            v.id,
            level,
            o.feature.to_string(),
            o.status,
            o.reason.map_or(String::new(), |r| r.to_string()),
            numbers.join(" "),
            if o.location.is_some() { String::new() } else { o.speaks_against.join("; ") }
        );
        if let Some(l) = &o.location {
            let mask: Vec<usize> =
                l.mask.as_ref().map(|m| m.offsets().collect()).unwrap_or_default();
            drawn.push(serde_json::json!({
                "series": scan.name, "vertebra": v.id.0, "level": level,
                "feature": o.feature.to_string(), "status": format!("{:?}", o.status),
                "centroid": [l.centroid.x(), l.centroid.y(), l.centroid.z()],
                "mask": mask, "numbers": numbers.join(" "), "z": measure(o, "z"),
                "side": l.side.map(|s| s.to_string()),
                "parts": l.parts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }));
        }
    }
    std::fs::write(
        out.join(format!("{}.flags.json", scan.name)),
        serde_json::to_vec(&drawn).unwrap(),
    )
    .unwrap();
}

/// An irregular blob in a body's frame.
struct Blob {
    centre: LocalPoint,
    axes: [f64; 3],
    waves: [[f64; 5]; 3],
}

impl Blob {
    fn random(rng: &mut ChaCha8Rng, centre: LocalPoint, volume_mm3: f64) -> Self {
        let r = libm::cbrt(volume_mm3 * 3.0 / (4.0 * std::f64::consts::PI));
        let f: [f64; 3] = std::array::from_fn(|_| libm::exp(rng.random_range(-0.3..0.3)));
        let mean = libm::cbrt(f[0] * f[1] * f[2]);
        let waves = std::array::from_fn(|_| {
            [
                rng.random_range(-3.0..3.0),
                rng.random_range(-3.0..3.0),
                rng.random_range(-3.0..3.0),
                rng.random_range(0.0..std::f64::consts::TAU),
                rng.random_range(0.05..0.15),
            ]
        });
        Self { centre, axes: f.map(|f| f / mean * r), waves }
    }
    fn holds(&self, p: LocalPoint, grow: f64) -> bool {
        let d = [p.s - self.centre.s, p.v - self.centre.v, p.u - self.centre.u];
        let q: [f64; 3] = std::array::from_fn(|n| d[n] / (self.axes[n] + grow));
        let r = libm::sqrt(q.iter().map(|x| x * x).sum());
        if r > 1.6 {
            return false;
        }
        let n = q.map(|x| x / r.max(1e-9));
        let wave: f64 = self
            .waves
            .iter()
            .map(|w| w[4] * libm::cos(w[0] * n[0] + w[1] * n[1] + w[2] * n[2] + w[3]))
            .sum();
        r <= 1.0 + wave
    }
}

/// Adds `contrast` HU in the blob, cut by the body surface, averaged over the slice and blurred
/// in plane (sigma 0.7 mm). Returns the volume that was added, mm³.
fn insert(
    scan: &Scan,
    voxels: &mut [i16],
    body: &VertebralBody,
    blob: &Blob,
    contrast: f64,
) -> f64 {
    let grid = &scan.volume.grid;
    let (low, high) = body.surface.voxel_box(&body.frame, grid).unwrap();
    let mut volume = 0.0;
    let spacing = grid.spacing();
    let weights: Vec<(f64, f64)> = [-1.4f64, -0.7, 0.0, 0.7, 1.4]
        .iter()
        .map(|&x| (x, (-0.5 * (x / 0.7) * (x / 0.7)).exp()))
        .collect();
    for k in low.k..=high.k {
        for j in low.j..=high.j {
            for i in low.i..=high.i {
                let centre = grid.voxel_to_lps(VoxelIndex { i, j, k });
                let near = body.frame.to_local(centre);
                let far = (near.s - blob.centre.s)
                    .abs()
                    .max((near.v - blob.centre.v).abs())
                    .max((near.u - blob.centre.u).abs());
                if far > 1.6 * blob.axes.iter().copied().fold(0.0, f64::max) + 6.0 {
                    continue;
                }
                let (mut sum, mut total) = (0.0, 0.0);
                for (x, wx) in &weights {
                    for (y, wy) in &weights {
                        for z in [-0.375, -0.125, 0.125, 0.375] {
                            let p = centre
                                + grid.step(0) * (x / spacing[0])
                                + grid.step(1) * (y / spacing[1])
                                + grid.step(2) * z;
                            let local = body.frame.to_local(p);
                            total += wx * wy;
                            if blob.holds(local, 0.0) && body.surface.position(local).depth() >= 0.0
                            {
                                sum += wx * wy;
                            }
                        }
                    }
                }
                let share = sum / total;
                volume += share * grid.voxel_mm3();
                let at = grid.offset(VoxelIndex { i, j, k });
                voxels[at] = (f64::from(voxels[at]) + share * contrast) as i16;
            }
        }
    }
    volume
}

fn log_uniform(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    libm::exp(rng.random_range(libm::log(low)..libm::log(high)))
}

struct Inserted {
    volume: f64,
    contrast: f64,
    best_z: Option<f64>,
    status: Option<Status>,
}

fn insert_run(
    scan: &Scan,
    settings: &Settings,
    seed: u64,
    tried: &[VertebraId],
) -> (Vec<Inserted>, Vec<f64>, usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut voxels = scan.volume.voxels.clone();
    let mut blobs: Vec<(VertebraId, Blob, f64, f64)> = Vec::new();
    for v in &scan.anatomy.vertebrae {
        if !tried.contains(&v.id) || rng.random_range(0.0..1.0) < 0.5 {
            continue;
        }
        let body = v.body.as_ref().unwrap();
        let volume = log_uniform(&mut rng, 200.0, 6000.0);
        let contrast = log_uniform(&mut rng, 40.0, 500.0);
        let mut centre = None;
        for _ in 0..400 {
            let p = LocalPoint {
                s: rng.random_range(-18.0..18.0),
                v: rng.random_range(-25.0..25.0),
                u: rng.random_range(-30.0..30.0),
            };
            if body.surface.position(p).depth() >= 2.0
                && p.s >= body.surface.in_view_s.0 + 6.0
                && p.s <= body.surface.in_view_s.1 - 6.0
            {
                centre = Some(p);
                break;
            }
        }
        let Some(centre) = centre else { continue };
        let blob = Blob::random(&mut rng, centre, volume);
        let added = insert(scan, &mut voxels, body, &blob, contrast);
        blobs.push((v.id.clone(), blob, added, contrast));
    }
    let observations = assess(scan, voxels, settings);
    let mut results = Vec::new();
    let mut beside = Vec::new();
    for (id, blob, volume, contrast) in &blobs {
        let body =
            scan.anatomy.vertebrae.iter().find(|v| v.id == *id).unwrap().body.as_ref().unwrap();
        let mut best: Option<(f64, Status)> = None;
        for o in observations.iter().filter(|o| {
            o.feature == FeatureId::ScleroticDensity && o.site == Site::Vertebra(id.clone())
        }) {
            if let Some(l) = &o.location {
                let near = blob.holds(body.frame.to_local(l.centroid), 3.0)
                    || l.mask.as_ref().is_some_and(|m| {
                        let inside = m
                            .offsets()
                            .filter(|&at| {
                                let g = &scan.volume.grid;
                                let index = VoxelIndex {
                                    i: at % g.ni(),
                                    j: at / g.ni() % g.nj(),
                                    k: at / (g.ni() * g.nj()),
                                };
                                blob.holds(body.frame.to_local(g.voxel_to_lps(index)), 0.0)
                            })
                            .count() as f64;
                        inside / m.count() as f64 >= 0.3
                    });
                let z = measure(o, "z");
                if near && best.is_none_or(|b| z > b.0) {
                    best = Some((z, o.status));
                }
            }
        }
        results.push(Inserted {
            volume: *volume,
            contrast: *contrast,
            best_z: best.map(|b| b.0),
            status: best.map(|b| b.1),
        });
    }
    for o in &observations {
        let Site::Vertebra(id) = &o.site else { continue };
        if o.feature == FeatureId::ScleroticDensity
            && o.location.is_some()
            && tried.contains(id)
            && blobs.iter().all(|b| b.0 != *id)
        {
            beside.push(measure(o, "z"));
        }
    }
    let healthy = tried.len() - blobs.len();
    (results, beside, healthy)
}

/// A smooth bulge of a body's back wall: the crown of a cap behind the outline.
struct Cap {
    s: f64,
    u: f64,
    radius: f64,
    height: f64,
    soft: bool,
}

/// Puts a cap behind the wall of a body: bony (200-350 HU) or soft (55 HU, and the wall with 8 mm
/// of body in front of it gone).
fn insert_cap(
    scan: &Scan,
    voxels: &mut [i16],
    body: &VertebralBody,
    cap: &Cap,
    wall: impl Fn(f64, f64) -> f64,
) {
    let grid = &scan.volume.grid;
    let (low, high) = body.surface.voxel_box(&body.frame, grid).unwrap();
    let spacing = grid.spacing();
    let reach = (12.0 / spacing[1]).ceil() as usize;
    for k in low.k..=high.k {
        for j in low.j..=(high.j + reach).min(grid.nj() - 1) {
            for i in low.i..=high.i {
                let centre = grid.voxel_to_lps(VoxelIndex { i, j, k });
                let (mut share, mut n) = (0.0, 0.0);
                for x in [-0.6, 0.0, 0.6] {
                    for y in [-0.6, 0.0, 0.6] {
                        for z in [-0.375, -0.125, 0.125, 0.375] {
                            let p = body.frame.to_local(
                                centre
                                    + grid.step(0) * (x / spacing[0])
                                    + grid.step(1) * (y / spacing[1])
                                    + grid.step(2) * z,
                            );
                            n += 1.0;
                            let out =
                                ((p.s - cap.s).powi(2) + (p.u - cap.u).powi(2)).sqrt() / cap.radius;
                            if out >= 1.0 {
                                continue;
                            }
                            let crown = cap.height * (1.0 - out * out);
                            let behind = -p.v - wall(p.s, p.u);
                            if behind <= crown && behind >= if cap.soft { -8.0 } else { -0.5 } {
                                share += 1.0;
                            }
                        }
                    }
                }
                share /= n;
                if share > 0.0 {
                    let at = grid.offset(VoxelIndex { i, j, k });
                    let target = if cap.soft { 55.0 } else { 280.0 };
                    let old = f64::from(voxels[at]);
                    let goal = if cap.soft { target } else { old.max(target) };
                    voxels[at] = (old * (1.0 - share) + goal * share) as i16;
                }
            }
        }
    }
}

fn wall_run(
    scan: &Scan,
    settings: &Settings,
    seed: u64,
    tried: &[VertebraId],
) -> Vec<(f64, bool, f64, Status, f64)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut voxels = scan.volume.voxels.clone();
    let mut caps = Vec::new();
    let step = scan.volume.grid.spacing()[2];
    for v in &scan.anatomy.vertebrae {
        if !tried.contains(&v.id) || rng.random_range(0.0..1.0) < 0.6 {
            continue;
        }
        let body = v.body.as_ref().unwrap();
        let cap = Cap {
            s: rng.random_range(-3.0..3.0)
                + 0.5
                    * (body.surface.upper.height(-12.0, 0.0)
                        + body.surface.lower.height(-12.0, 0.0)),
            u: rng.random_range(-3.0..3.0),
            radius: rng.random_range(4.5..7.5),
            height: rng.random_range(1.5..5.5),
            soft: rng.random_range(0.0..1.0) < 0.4,
        };
        insert_cap(scan, &mut voxels, body, &cap, |s, u| {
            let mut v = 0.0f64;
            while (v * v + u * u).sqrt() < body.surface.radius(s, libm::atan2(u, -v)) {
                v += 0.25;
            }
            // From the outline to the wall itself: the hindmost crossing of half height.
            let at = |back: f64| {
                scan.volume.sample(body.frame.to_lps(LocalPoint { s, v: -back, u })).unwrap_or(0.0)
            };
            let top = (0..=26).map(|n| at(v - 7.0 + 0.5 * f64::from(n))).fold(0.0, f64::max);
            let mut back = v + 5.0;
            while back > v - 6.0 && at(back) < 0.5 * (top + 30.0) {
                back -= 0.25;
            }
            back
        });
        caps.push((v.id.clone(), cap));
    }
    let observations = assess(scan, voxels, settings);
    caps.iter()
        .map(|(id, cap)| {
            let o = observations
                .iter()
                .find(|o| {
                    o.feature == FeatureId::PosteriorWallDisruption
                        && o.site == Site::Vertebra(id.clone())
                })
                .unwrap();
            (cap.height, cap.soft, step, o.status, measure(o, "bulge_mm"))
        })
        .collect()
}

fn walls(scan: &Scan, settings: &Settings) -> Vec<VertebraId> {
    assess(scan, scan.volume.voxels.clone(), settings)
        .into_iter()
        .filter(|o| o.feature == FeatureId::PosteriorWallDisruption && o.status == Status::Absent)
        .filter_map(|o| match o.site {
            Site::Vertebra(id) => Some(id),
            _ => None,
        })
        .collect()
}

fn assessed(scan: &Scan, settings: &Settings) -> Vec<VertebraId> {
    assess(scan, scan.volume.voxels.clone(), settings)
        .into_iter()
        .filter(|o| o.feature == FeatureId::ScleroticDensity && o.status != Status::NotAssessed)
        .filter_map(|o| match o.site {
            Site::Vertebra(id) => Some(id),
            _ => None,
        })
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dumps = Path::new(&args[1]);
    let seeds: u64 = args.get(3).map_or(4, |s| s.parse().unwrap());
    let settings = Settings::default();
    let mut names: Vec<String> = std::fs::read_dir(dumps)
        .unwrap()
        .filter_map(|e| {
            e.unwrap()
                .file_name()
                .to_str()
                .and_then(|n| n.strip_suffix(".truth.json").map(str::to_owned))
        })
        .collect();
    names.sort();
    let mut all = Vec::new();
    let mut caps: Vec<(f64, bool, f64, Status, f64)> = Vec::new();
    let (mut beside, mut healthy) = (Vec::new(), 0);
    for name in &names {
        let scan = load(dumps, name);
        if args[2] == "flags" {
            flags(&scan, &settings, dumps);
        } else if args[2] == "walls" {
            let tried = walls(&scan, &settings);
            for seed in 0..seeds {
                caps.extend(wall_run(&scan, &settings, 2000 + seed, &tried));
            }
            eprintln!("{name}: {} walls, {} caps so far", tried.len(), caps.len());
        } else {
            let tried = assessed(&scan, &settings);
            for seed in 0..seeds {
                let (found, near, n) = insert_run(&scan, &settings, 1000 + seed, &tried);
                all.extend(found);
                beside.extend(near);
                healthy += n;
            }
            eprintln!("{name}: {} bodies, {} lesions so far", tried.len(), all.len());
        }
    }
    if args[2] == "flags" {
        return;
    }
    if args[2] == "walls" {
        for soft in [false, true] {
            for (s0, s1) in [(0.0, 1.75), (1.75, 3.5), (3.5, 7.0)] {
                for (h0, h1) in [(1.5, 2.5), (2.5, 3.5), (3.5, 5.5)] {
                    let group: Vec<_> = caps
                        .iter()
                        .filter(|c| c.1 == soft && c.2 >= s0 && c.2 < s1 && c.0 >= h0 && c.0 < h1)
                        .collect();
                    let of = |status| group.iter().filter(|c| c.3 == status).count();
                    let mut b: Vec<f64> =
                        group.iter().map(|c| c.4).filter(|b| !b.is_nan()).collect();
                    b.sort_by(f64::total_cmp);
                    println!(
                        "{} step {s0}-{s1} height {h0}-{h1}: n {} present {} indeterminate {} absent {} not assessed {} median bulge {:?}",
                        if soft { "soft" } else { "bony" },
                        group.len(),
                        of(Status::Present),
                        of(Status::Indeterminate),
                        of(Status::Absent),
                        of(Status::NotAssessed),
                        b.get(b.len() / 2)
                    );
                }
            }
        }
        return;
    }
    println!(
        "flags on healthy bodies beside: z>=3 {} z>=5 {} of {healthy}",
        beside.iter().filter(|z| **z >= 3.0).count(),
        beside.iter().filter(|z| **z >= 5.0).count()
    );
    for (title, v0, v1, c0, c1) in [
        (">=1 ml all", 1000.0, 1e9, 0.0, 1e9),
        (">=1 ml >=100", 1000.0, 1e9, 100.0, 1e9),
        (">=1 ml >=200", 1000.0, 1e9, 200.0, 1e9),
        (">=1 ml <100", 1000.0, 1e9, 0.0, 100.0),
        ("0.3-1 all", 300.0, 1000.0, 0.0, 1e9),
        ("0.3-1 >=100", 300.0, 1000.0, 100.0, 1e9),
        ("0.3-1 >=200", 300.0, 1000.0, 200.0, 1e9),
        ("<0.3 all", 0.0, 300.0, 0.0, 1e9),
    ] {
        let group: Vec<&Inserted> = all
            .iter()
            .filter(|l| l.volume >= v0 && l.volume < v1 && l.contrast >= c0 && l.contrast < c1)
            .collect();
        let share = |z: f64| {
            100.0 * group.iter().filter(|l| l.best_z.is_some_and(|b| b >= z)).count() as f64
                / group.len().max(1) as f64
        };
        let present = group.iter().filter(|l| l.status == Some(Status::Present)).count();
        println!(
            "{title:14} n {:4}  z>=3 {:3.0}%  z>=4 {:3.0}%  z>=5 {:3.0}%  present {present}",
            group.len(),
            share(3.0),
            share(4.0),
            share(5.0)
        );
    }
}

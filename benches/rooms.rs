//! One group for each room, on the committed fixtures. Read the figures as ratios within one run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot go on has failed"
)]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use osteoflag::eligibility::{Rulebook, assess};
use osteoflag::features::{Context, Settings, assess_series};
use osteoflag::screen::{Options, study};
use osteoflag::series::Series;
use osteoflag::volume::{Image, LoadLimits, load};
use osteoflag::{anatomy, discover, phantom, report, role, series};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn first_series(name: &str) -> (series::Study, Series) {
    let files = discover::discover(&fixture(name)).unwrap().files;
    let study = series::read(&files, &|_| {}).studies.remove(0);
    let series = study.series[0].clone();
    (study, series)
}

fn limits() -> LoadLimits {
    LoadLimits { max_bytes: 1 << 30 }
}

fn options() -> Options {
    Options {
        settings: Settings::default(),
        rulebook: Rulebook::builtin().unwrap(),
        context: None,
        pictures: false,
        identifiers: false,
        masks: Vec::new(),
        label_maps: false,
        limits: limits(),
    }
}

fn rooms(c: &mut Criterion) {
    let (ct_study, ct) = first_series("ct_lumbar");
    let (_, mr) = first_series("mr_t1_lumbar");
    let ct_image = load(&ct, &limits()).unwrap().image;
    let mr_image = load(&mr, &limits()).unwrap().image;
    let Image::Ct(ct_volume) = &ct_image else { panic!("the CT fixture is no CT") };
    let ct_anatomy = anatomy::ct::find(ct_volume);
    let settings = Settings::default();
    let findings = study(&ct_study, &options(), &|_, _| {}).unwrap().findings;

    let mut group = c.benchmark_group("rooms");
    group.sample_size(10);
    group.bench_function("discover", |b| b.iter(|| discover::discover(&fixture("ct_lumbar"))));
    let files = discover::discover(&fixture("ct_lumbar")).unwrap().files;
    group.bench_function("series", |b| b.iter(|| series::read(black_box(&files), &|_| {})));
    group.bench_function("volume", |b| b.iter(|| load(black_box(&ct), &limits())));
    group.bench_function("role", |b| b.iter(|| role::assess(black_box(&ct))));
    group.bench_function("anatomy ct", |b| b.iter(|| anatomy::ct::find(black_box(ct_volume))));
    group.bench_function("anatomy mr", |b| b.iter(|| anatomy::mr::find(black_box(&mr_image))));
    let assessed = role::assess(&ct);
    let context = Context {
        series: &ct.id,
        role: assessed.role,
        contrast_medium: assessed.contrast_medium,
        image: &ct_image,
        anatomy: &ct_anatomy,
        settings: &settings,
    };
    group.bench_function("features", |b| b.iter(|| assess_series(black_box(&context))));
    let rulebook = Rulebook::builtin().unwrap();
    group.bench_function("eligibility", |b| b.iter(|| assess(&findings, None, &rulebook)));
    group.bench_function("report picture", |b| {
        b.iter(|| report::overview_picture(&ct_image, &ct_anatomy, "bench").to_png());
    });
    group.bench_function("report page", |b| b.iter(|| report::markdown(&findings, None)));
    group.bench_function("findings to JSON", |b| b.iter(|| report::json(&findings)));
    let spec = phantom::Spec::built_in("mr_t1_lumbar").unwrap();
    group.bench_function("phantom", |b| b.iter(|| phantom::generate(black_box(&spec))));
    group.bench_function("whole study", |b| b.iter(|| study(&ct_study, &options(), &|_, _| {})));
    group.finish();
}

criterion_group!(benches, rooms);
criterion_main!(benches);

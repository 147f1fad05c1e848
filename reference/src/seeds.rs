//! Bytes of the golden vectors, for tests that begin from them; what vectors mean is not read here. They are read from `vectors/` itself, so
//! that they cannot fall behind.

use std::{fs, path::Path, sync::LazyLock};

use bolero::TypeGenerator;
use serde_yaml::Value;

use crate::wire::message::Phase;

/// One payload or term, in its parts.
pub(crate) struct Seed {
    pub(crate) phase: Phase,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// All that stand whole in the files: long ones do not.
pub(crate) struct Seeds {
    pub(crate) payloads: Vec<Seed>,
    pub(crate) terms: Vec<Seed>,
    pub(crate) streams: Vec<Vec<u8>>,
}

pub(crate) static SEEDS: LazyLock<Seeds> = LazyLock::new(read);

/// A kept input on which some codec was wrong once.
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) phase: Phase,
    pub(crate) bytes: Vec<u8>,
    pub(crate) verdict: String,
}

/// All of `conformance/fuzz/regressions`.
pub(crate) fn kept() -> Vec<Kept> {
    let text = |yaml: &Value, key: &str| yaml[key].as_str().unwrap_or_default().to_owned();
    files("../conformance/fuzz/regressions")
        .map(|(name, yaml)| Kept {
            name,
            target: text(&yaml, "target"),
            phase: phase(&yaml),
            bytes: hex::decode(text(&yaml, "bytes")).unwrap(),
            verdict: text(&yaml, "verdict"),
        })
        .collect()
}

fn read() -> Seeds {
    let mut seeds = Seeds { payloads: Vec::new(), terms: Vec::new(), streams: Vec::new() };
    for (_, file) in files("../vectors") {
        let list = |section: &str| file[section].as_sequence().cloned().unwrap_or_default();
        seeds.payloads.extend(list("vectors").iter().filter_map(seed));
        seeds.terms.extend(list("terms").iter().filter_map(seed));
        for stream in list("streams") {
            let chunks = stream["chunks"].as_sequence().into_iter().flatten().map(bytes);
            seeds.streams.extend(chunks.collect::<Option<Vec<_>>>().map(|chunks| chunks.concat()));
        }
    }
    assert!(
        seeds.payloads.len() > 300 && seeds.terms.len() > 200 && seeds.streams.len() > 10,
        "the vectors are not read"
    );
    seeds
}

fn files(folder: &str) -> impl Iterator<Item = (String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.into_iter().map(|path| {
        let yaml = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (path.display().to_string(), yaml)
    })
}

fn seed(vector: &Value) -> Option<Seed> {
    let segments = vector["segments"].as_sequence()?;
    let parts = segments.iter().map(|segment| bytes(&segment["hex"])).collect::<Option<Vec<_>>>()?;
    Some(Seed { phase: phase(vector), parts })
}

fn phase(yaml: &Value) -> Phase {
    if yaml["phase"] == "handshake" { Phase::Handshake } else { Phase::Session }
}

fn bytes(hex: &Value) -> Option<Vec<u8>> {
    hex::decode(hex.as_str()?).ok()
}

/// A change of bytes whose parts are known.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) enum Change {
    /// A part becomes this number, at its own width.
    Number { part: u8, number: u64 },
    /// A part becomes a small number.
    Small { part: u8, number: u8 },
    /// A part says that much more or less.
    Add { part: u8, more: i8 },
    /// A byte of a part becomes another.
    Byte { part: u8, at: u8, byte: u8 },
    /// Bytes are put into a part, as they are.
    Insert { part: u8, at: u8, bytes: [u8; 3] },
    /// All ends in that part.
    Cut { part: u8, keep: u8 },
    /// From that part on, another vector goes on.
    Splice { part: u8, other: u16, from: u8 },
    /// A part and its next stand there many times.
    Repeat { part: u8, times: u16 },
    /// Bytes follow.
    LeftOver { byte: u8, count: u8 },
}

impl Change {
    pub(crate) fn apply(&self, seeds: &[Seed], parts: &mut Vec<Vec<u8>>) {
        let count = parts.len().max(1);
        let index = |part: u8| usize::from(part) % count;
        match *self {
            Self::Number { part, number } => {
                if let Some(part) = parts.get_mut(index(part)).filter(|part| part.len() <= 8) {
                    let width = part.len();
                    part.copy_from_slice(&number.to_le_bytes()[..width]);
                }
            }
            Self::Small { part, number } => {
                Self::Number { part, number: u64::from(number) }.apply(seeds, parts);
            }
            Self::Add { part, more } => {
                if let Some(bytes) = parts.get(index(part)).filter(|bytes| bytes.len() <= 8) {
                    let mut told = [0; 8];
                    told[..bytes.len()].copy_from_slice(bytes);
                    let number = u64::from_le_bytes(told).wrapping_add_signed(more.into());
                    Self::Number { part, number }.apply(seeds, parts);
                }
            }
            Self::Byte { part, at, byte } => {
                if let Some(part) = parts.get_mut(index(part)).filter(|part| !part.is_empty()) {
                    let at = usize::from(at) % part.len();
                    part[at] = byte;
                }
            }
            Self::Insert { part, at, bytes } => {
                if let Some(part) = parts.get_mut(index(part)) {
                    let at = usize::from(at) % (part.len() + 1);
                    part.splice(at..at, bytes);
                }
            }
            Self::Cut { part, keep } => {
                parts.truncate(index(part) + 1);
                if let Some(last) = parts.last_mut() {
                    last.truncate(keep.into());
                }
            }
            Self::Splice { part, other, from } => {
                let other = &seeds[usize::from(other) % seeds.len()].parts;
                parts.truncate(index(part));
                parts.extend_from_slice(&other[usize::from(from) % (other.len() + 1)..]);
            }
            Self::Repeat { part, times } => {
                let first = index(part);
                let last = (first + 2).min(parts.len());
                if first < last {
                    let once = parts[first..last].concat();
                    let times = usize::from(times) % (1 + 60_000 / once.len().max(1));
                    parts.splice(first..last, [once.repeat(times)]);
                }
            }
            Self::LeftOver { byte, count } => parts.push(vec![byte; count.into()]),
        }
    }
}

/// A vector, changed.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) struct Changed {
    seed: u16,
    changes: Vec<Change>,
}

impl Changed {
    /// Its phase and bytes.
    pub(crate) fn bytes(&self, seeds: &[Seed]) -> (Phase, Vec<u8>) {
        let seed = &seeds[usize::from(self.seed) % seeds.len()];
        (seed.phase, changed(&self.changes, seeds, &seed.parts))
    }
}

/// Parts, changed a few times.
pub(crate) fn changed(changes: &[Change], seeds: &[Seed], parts: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    changes.iter().take(4).for_each(|change| change.apply(seeds, &mut parts));
    parts.concat()
}

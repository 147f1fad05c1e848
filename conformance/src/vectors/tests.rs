//! The own vectors, and that judging by them finds what is wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::*;
use crate::codec::{
    EncodeError, FrameReader, Message, TERM, Undecodable, Unreadable, Value, decode, decode_document, encode,
    encode_document, proof, spelled_out,
};
use crate::schema::{Phase, Schema, Type, own};

fn corpus() -> &'static Corpus {
    static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors");
        load(&own(), &folder).unwrap()
    });
    &CORPUS
}

/// The harness's codec as one that is judged, with one thing wrong.
struct Own {
    schema: Schema,
    wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    SwapsPid,
    BigEndian,
    DropsLeftOver,
    RefusesLeftOver,
    LossyUtf8,
    SaysMalformed,
    LimitIsExclusive,
    SkipsEmptyFrames,
    SwallowsTheEnd,
    CookieIsText,
    FunctionIsText,
    CutsReasons,
    SortsMaps,
    QuietsNans,
    RoundsInts,
    NormalisesText,
    ClosureIsATag,
    WritesClosures,
    LimitIsLessByOne,
    LooksBehindTheLimit,
    AnyVersion,
    AcceptsTooLittleDepth,
    MergesSets,
    Refuses,
    Dies,
}

impl CodecUnderTest for Own {
    fn decode(&mut self, phase: Phase, payload: &[u8]) -> Result<Result<Reading, Undecodable>, Fault> {
        match self.wrong {
            Wrong::Refuses => return Err(Fault::Refused("no".into())),
            Wrong::Dies => return Err(Fault::Unanswered("gone".into())),
            _ => {}
        }
        Ok(match decode(&self.schema, phase, payload) {
            Ok(decoded) => {
                let Message { name, mut left_over, .. } = decoded.message.clone();
                let mut fields = decoded.message.fields_json();
                match self.wrong {
                    Wrong::SwapsPid if fields.get("pid").is_some() => {
                        let pid = fields["pid"].clone();
                        fields["pid"]["node_id"] = pid["creation"].clone();
                        fields["pid"]["creation"] = json!(pid["node_id"].as_u64().unwrap() & 0xFF);
                    }
                    Wrong::DropsLeftOver => left_over.clear(),
                    Wrong::RefusesLeftOver if !left_over.is_empty() => return Ok(Err(Undecodable::Malformed)),
                    Wrong::FunctionIsText if is_no_text(&fields["function"]) => return Ok(Err(Undecodable::Malformed)),
                    Wrong::CutsReasons => cut(&mut fields["reason"], 32),
                    _ => {}
                }
                Ok(Reading { message: name, fields, left_over })
            }
            Err(error) if self.wrong == Wrong::LossyUtf8 && error.to_string().contains("UTF-8") => {
                Ok(Reading { message: error.message.unwrap(), fields: json!({}), left_over: vec![] })
            }
            Err(_) if self.wrong == Wrong::SaysMalformed => Err(Undecodable::Malformed),
            Err(error) => Err(error.kind.undecodable()),
        })
    }

    fn encode(&mut self, message: &str, fields: &Json) -> Result<Vec<u8>, Fault> {
        let message =
            Message::from_json(&self.schema, message, fields).map_err(|error| Fault::Refused(error.to_string()))?;
        let mut encoded = encode(&self.schema, &message).unwrap();
        if self.wrong == Wrong::BigEndian {
            let lengths = encoded.segments.iter_mut().filter(|segment| segment.field.ends_with(".length"));
            lengths.for_each(|segment| segment.bytes.reverse());
        }
        Ok(encoded.payload())
    }

    fn frames(&mut self, phase: Phase, bytes: &[u8]) -> Result<(Vec<Vec<u8>>, StreamEnd), Fault> {
        let exclusive = u32::from(self.wrong == Wrong::LimitIsExclusive);
        let mut reader = FrameReader::new(self.schema.limit(phase) - exclusive);
        reader.push(bytes);
        let mut frames = Vec::new();
        loop {
            match reader.next_payload() {
                Ok(Some(payload)) if payload.is_empty() && self.wrong == Wrong::SkipsEmptyFrames => {}
                Ok(Some(payload)) => frames.push(payload),
                Err(_) => return Ok((frames, StreamEnd::TooLong)),
                Ok(None) if reader.waiting() == 0 || self.wrong == Wrong::SwallowsTheEnd => {
                    return Ok((frames, StreamEnd::Complete));
                }
                Ok(None) => return Ok((frames, StreamEnd::Incomplete)),
            }
        }
    }

    fn proof(&mut self, cookie: &[u8], challenge: &[u8]) -> Result<Vec<u8>, Fault> {
        let cookie = match self.wrong {
            Wrong::CookieIsText => String::from_utf8_lossy(cookie).into_owned().into_bytes(),
            _ => cookie.to_vec(),
        };
        Ok(proof(&cookie, challenge).to_vec())
    }

    fn term_decode(&mut self, bytes: &[u8]) -> Result<Result<TermReading, Unreadable>, Fault> {
        let mut bytes = bytes.to_vec();
        if let (Wrong::AnyVersion, Some(version)) = (self.wrong, bytes.first_mut()) {
            *version = 1;
        }
        Ok(match (decode_document(&self.schema, TERM, &bytes), self.wrong) {
            (Err(error), wrong) => match (error.kind.unreadable(), wrong) {
                (Unreadable::Closure, Wrong::ClosureIsATag) => Err(Unreadable::InvalidTag),
                (Unreadable::TooLarge, Wrong::LooksBehindTheLimit) => Err(Unreadable::UnexpectedEnd),
                (Unreadable::UnexpectedEnd, Wrong::LimitIsLessByOne) if bytes.ends_with(&[0x40, 0x42, 0x0F, 0]) => {
                    Err(Unreadable::TooLarge)
                }
                (found, _) => Err(found),
            },
            (Ok(decoded), Wrong::AcceptsTooLittleDepth) if depth(&decoded.value.to_json()) > 127 => {
                Err(Unreadable::TooDeep)
            }
            (Ok(decoded), wrong) => {
                let mut term = decoded.value.to_json();
                change(&mut term, wrong);
                let left_over = if wrong == Wrong::DropsLeftOver { Vec::new() } else { decoded.left_over };
                Ok(TermReading { term, left_over })
            }
        })
    }

    fn term_encode(&mut self, term: Json) -> Result<Result<Vec<u8>, String>, Fault> {
        let open = Type::Named("value".to_owned());
        let value =
            Value::from_json(&self.schema, "value", &open, &term).map_err(|error| Fault::Refused(error.to_string()))?;
        match encode_document(&self.schema, TERM, &value) {
            Ok(encoded) => Ok(Ok(encoded.payload())),
            Err(EncodeError::Forbidden { .. }) if self.wrong == Wrong::WritesClosures => Ok(Ok(vec![1, 255])),
            Err(EncodeError::Forbidden { kind, .. }) => Ok(Err(kind)),
            Err(error) => Err(Fault::Refused(error.to_string())),
        }
    }
}

fn is_no_text(hex: &Json) -> bool {
    let bytes = hex.as_str().map(|text| hex::decode(text).unwrap());
    bytes.is_some_and(|bytes| String::from_utf8(bytes).is_err())
}

/// Puts an error in the place of what is that deep in a reason.
fn cut(reason: &mut Json, levels: usize) {
    match reason.get_mut("reason") {
        Some(inner) if levels > 0 => cut(inner, levels - 1),
        Some(inner) => *inner = json!({"kind": "error", "text": "deep"}),
        None => {}
    }
}

/// Values within each other.
fn depth(term: &Json) -> usize {
    let inner = match term {
        Json::Array(items) => items.iter().map(depth).max(),
        Json::Object(map) => map.values().map(depth).max(),
        _ => None,
    };
    inner.unwrap_or(0) + usize::from(term.get("kind").is_some())
}

/// What a codec with that mistake reads in place of a term.
fn change(term: &mut Json, wrong: Wrong) {
    let kind = term["kind"].as_str().unwrap_or_default().to_owned();
    match (wrong, kind.as_str()) {
        (Wrong::SortsMaps, "map") => {
            term["entries"].as_array_mut().unwrap().sort_by_key(|entry| entry["key"].to_string());
        }
        (Wrong::MergesSets, "set") => term["items"].as_array_mut().unwrap().dedup(),
        (Wrong::QuietsNans, "float") => {
            let bits = u64::from_str_radix(term["value"].as_str().unwrap(), 16).unwrap();
            let quiet = if f64::from_bits(bits).is_nan() { bits | 1 << 51 } else { bits };
            term["value"] = json!(format!("{quiet:016x}"));
        }
        (Wrong::RoundsInts, "int") => term["value"] = json!(term["value"].as_i64().unwrap() as f64 as i64),
        (Wrong::NormalisesText, "string") => {
            term["text"] = json!(term["text"].as_str().unwrap().replace("e\u{301}", "é"));
        }
        _ => {}
    }
}

/// Of the vectors whose payload is at most that long.
fn failures(wrong: Wrong, longest: usize) -> Vec<(String, String)> {
    let mut codec = Own { schema: own(), wrong };
    let short = |vector: &&Golden| match &vector.body {
        Body::Payload { encoded, .. } | Body::Term { encoded, .. } => encoded.length() <= longest,
        Body::Stream { .. } | Body::Transcript { .. } => true,
    };
    let vectors = corpus().vectors().filter(short);
    let findings = vectors.map(|vector| (vector.id.clone(), judge_one(vector, &mut codec)));
    findings
        .filter_map(|(id, finding)| match finding {
            Finding::Pass => None,
            Finding::Fail(failures) => Some((id, failures.join("\n"))),
            Finding::Error(why) => Some((id, why)),
        })
        .collect()
}

#[test]
fn the_own_codec_passes() {
    assert_eq!(failures(Wrong::Nothing, usize::MAX), []);
}

#[test]
fn every_mistake_is_found() {
    for (wrong, said) in [
        (Wrong::SwapsPid, "decode: pid.node_id is"),
        (Wrong::BigEndian, "encode: differs at offset 1, in name.length: is 00"),
        (Wrong::DropsLeftOver, "decode: left_over is \"\", want"),
        (Wrong::RefusesLeftOver, "decode: finds it malformed; it is"),
        (Wrong::LossyUtf8, "it is malformed; it ends in"),
        (Wrong::SaysMalformed, "decode: finds it malformed; it is unknown_tag"),
        (Wrong::LimitIsExclusive, "frames: end is too_long, want complete"),
        (Wrong::SkipsEmptyFrames, "frames: finds"),
        (Wrong::SwallowsTheEnd, "frames: end is complete, want incomplete"),
        (Wrong::CookieIsText, "REPLY of the initiator: proof: is"),
        (Wrong::FunctionIsText, "decode: finds it malformed; it is SPAWN"),
        (Wrong::CutsReasons, "want \"linked\""),
        (Wrong::SortsMaps, "decode: value.entries[0].key.text is \"\", want \"b\" (bytes 12..13: 62)"),
        (Wrong::MergesSets, "decode: value.items is"),
        (Wrong::QuietsNans, "decode: value.value is \"7ff8000000000001\", want \"7ff0000000000001\""),
        (Wrong::RoundsInts, "decode: value.value is 9007199254740992, want 9007199254740993"),
        (Wrong::NormalisesText, "decode: value.text is"),
        (Wrong::ClosureIsATag, "decode: finds it invalid_tag; it is closure"),
        (Wrong::WritesClosures, "encode: writes \"01ff\"; {\"kind\":\"closure\"} cannot be written"),
        (Wrong::LimitIsLessByOne, "decode: finds it too_large; it is unexpected_end"),
        (Wrong::LooksBehindTheLimit, "decode: finds it unexpected_end; it is too_large"),
        (Wrong::AnyVersion, "it is unsupported_version"),
        (Wrong::AcceptsTooLittleDepth, "decode: finds it too_deep; it is {\"kind\":"),
        (Wrong::Refuses, "decode: refused: no"),
        (Wrong::Dies, "decode: no answer: gone"),
    ] {
        let failures = failures(wrong, 2500);
        assert!(failures.iter().any(|(_, what)| what.contains(said)), "{wrong:?}: {failures:#?}");
    }
}

/// Every valid vector's bytes say its message, and its message gives its bytes.
#[test]
fn vectors_survive_the_round_trip() {
    let schema = own();
    let mut valid = 0;
    for vector in corpus().vectors() {
        if let Body::Payload { phase, encoded, expected: Expected::Message(message), .. } = &vector.body {
            valid += 1;
            assert_eq!(&decode(&schema, *phase, &encoded.payload()).unwrap().message, message, "{}", vector.id);
            assert_eq!(encode(&schema, message).unwrap().payload(), encoded.payload(), "{}", vector.id);
        }
    }
    assert!(valid > 0);
}

/// Every term's bytes say its value, and its value gives its bytes; what is refused has no bytes.
#[test]
fn terms_survive_the_round_trip() {
    let (schema, open) = (own(), Type::Named("value".to_owned()));
    let mut seen = [0; 3];
    for vector in corpus().vectors() {
        let Body::Term { encoded, expected } = &vector.body else { continue };
        let value = |term| Value::from_json(&schema, "value", &open, &spelled_out(term).unwrap()).unwrap();
        match expected {
            ExpectedTerm::Value { term, left_over } => {
                seen[0] += 1;
                let decoded = decode_document(&schema, TERM, &encoded.payload()).unwrap();
                assert!(decoded.value == value(term) && decoded.left_over == *left_over, "{}", vector.id);
                let written = encode_document(&schema, TERM, &decoded.value).unwrap().payload();
                assert!([&written, left_over.as_slice()].concat() == encoded.payload(), "{}", vector.id);
            }
            ExpectedTerm::Unreadable(wanted) => {
                seen[1] += 1;
                let found = decode_document(&schema, TERM, &encoded.payload()).unwrap_err().kind.unreadable();
                assert_eq!(found, *wanted, "{}", vector.id);
            }
            ExpectedTerm::Refused(term) => {
                seen[2] += 1;
                let refused = encode_document(&schema, TERM, &value(term));
                assert!(matches!(refused, Err(EncodeError::Forbidden { .. })), "{}: {refused:?}", vector.id);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

/// A node may answer with anything that is JSON, and is told so; it ends nobody's stack.
#[test]
fn the_deepest_answers_are_only_wrong() {
    struct Deep(Own);
    impl CodecUnderTest for Deep {
        fn term_decode(&mut self, _: &[u8]) -> Result<Result<TermReading, Unreadable>, Fault> {
            let mut term = json!({"kind": "unit"});
            for _ in 0..1000 {
                term = json!({"kind": "list", "items": [term]});
            }
            Ok(Ok(TermReading { term, left_over: Vec::new() }))
        }
        fn term_encode(&mut self, term: Json) -> Result<Result<Vec<u8>, String>, Fault> {
            self.0.term_encode(term)
        }
        fn decode(&mut self, phase: Phase, payload: &[u8]) -> Result<Result<Reading, Undecodable>, Fault> {
            self.0.decode(phase, payload)
        }
        fn encode(&mut self, message: &str, fields: &Json) -> Result<Vec<u8>, Fault> {
            self.0.encode(message, fields)
        }
        fn frames(&mut self, phase: Phase, bytes: &[u8]) -> Result<(Vec<Vec<u8>>, StreamEnd), Fault> {
            self.0.frames(phase, bytes)
        }
        fn proof(&mut self, cookie: &[u8], challenge: &[u8]) -> Result<Vec<u8>, Fault> {
            self.0.proof(cookie, challenge)
        }
    }
    let mut deep = Deep(Own { schema: own(), wrong: Wrong::Nothing });
    let mut asked = 0;
    for vector in corpus().vectors().filter(|vector| vector.id.ends_with("-levels")) {
        if matches!(&vector.body, Body::Term { expected: ExpectedTerm::Value { .. } | ExpectedTerm::Unreadable(_), .. })
        {
            asked += 1;
            let finding = judge_one(vector, &mut deep);
            assert!(matches!(&finding, Finding::Fail(lines) if lines[0].len() < 2000), "{}: {finding:?}", vector.id);
        }
    }
    assert!(asked > 10, "only {asked} were asked");
}

/// Cut anywhere, a vector is read or refused, and never more is read than was there before.
#[test]
fn vectors_can_be_cut_anywhere() {
    let schema = own();
    for vector in corpus().vectors() {
        let Body::Payload { phase, encoded, .. } = &vector.body else { continue };
        let payload = encoded.payload();
        for end in 0..payload.len().min(1000) {
            if let Err(error) = decode(&schema, *phase, &payload[..end]) {
                assert!(error.offset <= end, "{} cut at {end}: {error:?}", vector.id);
            }
        }
    }
}

/// A folder with one family, for checks to find fault with.
struct Folder {
    folder: tempfile::TempDir,
    schema: Schema,
}

impl Folder {
    fn new(vectors: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let schema = folder.path().join("schema");
        fs::create_dir(&schema).unwrap();
        let layout = "family: a
frame: {length: u32, limits: {handshake: 1, session: 2}}
messages: {M: {tag: 1, phase: session, fields: [{name: n, type: string(u8), meaning: m}]}}
";
        fs::write(schema.join("a.yaml"), layout).unwrap();
        let schema = crate::schema::load(&schema).unwrap();
        let this = Self { folder, schema };
        this.write(vectors);
        this
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("a.yaml")
    }

    fn write(&self, vectors: &str) {
        fs::write(self.file(), format!("family: a\nvectors: [{vectors}]\n")).unwrap();
    }

    fn generate(&self, fill: Fill) -> Result<Vec<PathBuf>, Vec<Problem>> {
        generate(&self.schema, self.folder.path(), fill)
    }

    fn problems(&self) -> Vec<String> {
        let known = BTreeSet::from(["A-1".to_owned()]);
        check(&self.schema, self.folder.path(), &known).into_iter().map(|problem| problem.what).collect()
    }
}

const TYPICAL: &str =
    "{id: a/m-typical, requirements: [A-1], phase: session, message: M, fields: {n: hi}, verdict: valid}";

#[test]
fn filling_leaves_only_requirements_to_people() {
    let folder = Folder::new(TYPICAL);
    folder.generate(Fill::Gaps).unwrap();
    let problems = folder.problems();
    let ids = [
        "n-length-one-more",
        "n-length-one-less",
        "cut-before-n-length",
        "cut-before-n",
        "cut-inside-n",
        "n-bad-utf8",
        "left-over",
    ];
    assert_eq!(problems.len(), ids.len(), "{problems:#?}");
    for id in ids {
        assert!(problems.contains(&format!("a/m-{id} shows no requirement")), "{id}: {problems:#?}");
    }
    let text = fs::read_to_string(folder.file()).unwrap();
    fs::write(folder.file(), text.replace("requirements: []", "requirements: [A-1]")).unwrap();
    assert_eq!(folder.problems(), [""; 0]);
    let changed = folder.generate(Fill::Gaps).unwrap();
    assert!(changed.is_empty(), "there is nothing left to write: {changed:?}");
}

#[test]
fn each_vector_alone_is_what_it_is_among_all() {
    let alone = open(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors")).unwrap();
    assert_eq!(alone.len(), corpus().vectors().count());
    let bytes = |golden: &Golden| match &golden.body {
        Body::Payload { encoded, .. } | Body::Term { encoded, .. } => encoded.payload(),
        Body::Stream { chunks, .. } => chunks.concat(),
        Body::Transcript { steps } => steps.iter().flat_map(|step| step.encoded.payload()).collect(),
    };
    for vector in &alone {
        let resolved = vector.resolved(&own()).unwrap();
        let among = corpus().vectors().find(|golden| golden.id == vector.id()).unwrap();
        assert!(bytes(&resolved) == bytes(among), "{}", vector.id());
        assert_eq!((&resolved.requirements, &resolved.note), (&among.requirements, &among.note));
        if let (Some(length), Body::Payload { encoded, .. }) = (vector.length_in(Phase::Session), &resolved.body) {
            assert_eq!(length, encoded.length(), "{}", vector.id());
        }
    }
}

#[test]
fn a_vector_alone_is_compared_with_its_file() {
    let folder = Folder::new(TYPICAL);
    let alone = |folder: &Folder| open(folder.folder.path()).unwrap()[0].resolved(&folder.schema);
    let says = |folder: &Folder, what: &str| {
        let problem = alone(folder).unwrap_err().to_string();
        assert!(problem.contains("a/m-typical: ") && problem.contains(what), "{problem}");
    };
    says(&folder, "not as `cargo xtask vectors generate` writes it");
    folder.generate(Fill::Gaps).unwrap();
    assert!(alone(&folder).is_ok());
    let text = fs::read_to_string(folder.file()).unwrap();
    fs::write(folder.file(), text.replacen("6869", "6868", 1)).unwrap();
    says(&folder, "not as `cargo xtask vectors generate` writes it");
    folder.write(&TYPICAL.replace("valid", "malformed"));
    says(&folder, "says malformed, and the codec finds valid");
    folder.write(&TYPICAL.replace("a/m", "b/m"));
    assert!(open(folder.folder.path()).unwrap_err().to_string().contains("b/m-typical: an id is a/"));
}

#[test]
fn checking_finds_what_is_wrong() {
    let folder = Folder::new(TYPICAL);
    let has = |problems: &[String], what: &str| {
        assert!(problems.iter().any(|problem| problem.contains(what)), "{what}: {problems:#?}")
    };
    has(&folder.problems(), "not as `cargo xtask vectors generate` writes it");
    has(&folder.problems(), "a/m-left-over is missing");
    assert!(load(&folder.schema, folder.folder.path()).is_err(), "stale bytes are not loaded");

    folder.write(&TYPICAL.replace("A-1", "A-2"));
    has(&folder.problems(), "the spec has no requirement A-2");
    folder.write(&TYPICAL.replace("a/m", "b/m"));
    has(&folder.problems(), "b/m-typical: an id is a/");
    has(&folder.problems(), "a/m-typical is missing; write it");
    folder.write(&format!("{TYPICAL}, {TYPICAL}"));
    has(&folder.problems(), "stands twice");
    folder.write(&TYPICAL.replace("valid", "malformed"));
    has(&folder.problems(), "a/m-typical: says malformed, and the codec finds valid");
    folder.write(&TYPICAL.replace("hi", "1"));
    has(&folder.problems(), "a/m-typical: n: want string(u8), a string, not 1");
    folder.write(&TYPICAL.replace("verdict", "verdickt"));
    has(&folder.problems(), "unknown field `verdickt`");
    folder.write(&TYPICAL.replace("n: hi", "n: hi, n: ho"));
    has(&folder.problems(), "duplicate");
}

#[test]
fn a_changed_byte_and_a_reused_id_are_found() {
    let folder = Folder::new(TYPICAL);
    folder.generate(Fill::Nothing).unwrap();
    let text = fs::read_to_string(folder.file()).unwrap();
    fs::write(folder.file(), text.replace("\"6869\"", "\"6868\"")).unwrap();
    let problem = load(&folder.schema, folder.folder.path()).unwrap_err();
    assert!(problem.what.starts_with("line 15: not as"), "{problem}");

    folder.write(&TYPICAL.replace("typical", "other"));
    folder.generate(Fill::Nothing).unwrap();
    folder.write(TYPICAL);
    let problems = folder.generate(Fill::Nothing).unwrap_err();
    assert_eq!(problems[0].what, "a/m-typical is retired and must not be used again");
}

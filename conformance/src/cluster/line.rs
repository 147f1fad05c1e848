//! One line that a node prints: checked against the control protocol's schema before anything believes it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

const SCHEMA: &str = include_str!("../../../spec/control.schema.json");

/// How much of a bad line is quoted, in characters.
const QUOTED: usize = 300;

/// How many arrays and objects of a line may stand within each other. The deepest term that nodes write, of 1,000 levels, takes three a
/// level (`spec/control.md`, "Capability `term`").
const DEEPEST: usize = 4096;

/// Up to this depth a line that does not fit the schema is told its place.
const EXPLAINED: usize = 200;

/// The stack of threads that read lines or look at what was read: room for recursion over [`DEEPEST`] levels.
pub(crate) const STACK: usize = 32 << 20;

/// A line that is what it should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Answer { id: i64, result: Value },
    Error { id: i64, error: RpcError },
    Notification { seq: u64, method: String, params: Map<String, Value> },
}

/// An error that a node answered with.
#[derive(Debug, Clone, PartialEq, Deserialize, Error)]
#[error("error {code}: {message}")]
pub struct RpcError {
    /// What the harness compares.
    pub code: i64,
    /// What people read.
    pub message: String,
    /// More, for some codes.
    pub data: Option<Value>,
}

/// A mistake of the adapter: the node did not keep to the control protocol. Never a verdict about the node itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AdapterFault {
    /// Standard output carries something else than JSON.
    #[error(
        "the adapter printed a line that is no JSON ({reason}): {line}\nstandard output is for control lines only; logs \
         belong on standard error"
    )]
    NotJson {
        /// The line.
        line: String,
        /// Why it is none.
        reason: String,
    },
    /// The line is JSON, but not as the control protocol has it.
    #[error("the adapter printed a line that does not fit spec/control.schema.json ({problem}): {line}")]
    NotInSchema {
        /// The line.
        line: String,
        /// Where and why.
        problem: String,
    },
    /// Arrays and objects stand deeper within each other than anything that the harness asks for.
    #[error("the adapter printed a line that is nested deeper than {limit} levels: {line}")]
    TooDeep {
        /// Its beginning.
        line: String,
        /// The limit.
        limit: usize,
    },
    /// An answer to no request, or a second one.
    #[error("the adapter answered id {id}, which is not open: {line}\neach request is answered once, with its own id")]
    UnknownId {
        /// The line.
        line: String,
        /// The id in it.
        id: i64,
    },
    /// A notification is missing, or comes twice.
    #[error("the adapter numbered a notification {found} where {expected} comes next: {line}")]
    Sequence {
        /// The line.
        line: String,
        /// The number that comes next.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// A line longer than the control protocol allows.
    #[error("the adapter printed a line of more than {limit} bytes: {line}")]
    TooLong {
        /// Its beginning.
        line: String,
        /// The limit.
        limit: usize,
    },
    /// The output ended, the process did not.
    #[error("the adapter closed its standard output and goes on running; its last words on standard error:\n{log}")]
    OutputClosed {
        /// The end of its log.
        log: String,
    },
}

static LINE_SCHEMA: LazyLock<LineSchema> = LazyLock::new(|| {
    // The schema is compiled in, so a test of this file that compiles it speaks for every run.
    LineSchema::compile(SCHEMA).expect("spec/control.schema.json is a schema with a title for each kind of line")
});

impl Line {
    /// Reads a line, without its LF.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, AdapterFault> {
        LINE_SCHEMA.read(bytes)
    }
}

/// Checks the result of `method` further. Methods that the schema does not know are not checked.
pub(crate) fn check_result(method: &str, result: &Value) -> Result<(), AdapterFault> {
    match LINE_SCHEMA.results.get(method) {
        Some(validator) => {
            valid(validator, result, &format!("result of {method}"), || quote(result.to_string().as_bytes()))
        }
        None => Ok(()),
    }
}

/// The schema, taken apart: a line is checked as what it wants to be, so that the complaint fits it.
struct LineSchema {
    answer: Validator,
    error: Validator,
    notifications: BTreeMap<String, Validator>,
    results: BTreeMap<String, Validator>,
}

impl LineSchema {
    fn compile(text: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let validator = |part: &Value| {
            let whole = json!({"$schema": root["$schema"], "$defs": root["$defs"], "allOf": [part]});
            jsonschema::validator_for(&whole).map_err(|error| error.to_string())
        };
        let mut kinds = BTreeMap::new();
        for kind in root["oneOf"].as_array().into_iter().flatten() {
            let title = kind["title"].as_str().ok_or("a kind of line without a title")?;
            kinds.insert(title.to_owned(), validator(kind)?);
        }
        let mut results = BTreeMap::new();
        for (method, result) in root["$defs"]["results"].as_object().into_iter().flatten() {
            results.insert(method.clone(), validator(result)?);
        }
        Ok(Self {
            answer: kinds.remove("answer").ok_or("no kind of line is titled `answer`")?,
            error: kinds.remove("error").ok_or("no kind of line is titled `error`")?,
            notifications: kinds,
            results,
        })
    }

    fn read(&self, bytes: &[u8]) -> Result<Line, AdapterFault> {
        if depth(bytes) > DEEPEST {
            return Err(AdapterFault::TooDeep { line: quote(bytes), limit: DEEPEST });
        }
        let mut value = parse_json(bytes)
            .map_err(|error| AdapterFault::NotJson { line: quote(bytes), reason: error.to_string() })?;
        let not_in_schema =
            |problem: &str| AdapterFault::NotInSchema { line: quote(bytes), problem: problem.to_owned() };
        if let Some(method) = value.get("method").and_then(Value::as_str) {
            let method = method.to_owned();
            let validator = self.notifications.get(&method).ok_or_else(|| {
                let known: Vec<&str> = self.notifications.keys().map(String::as_str).collect();
                not_in_schema(&format!("no notification `{method}`; there are {}", known.join(", ")))
            })?;
            valid(validator, &value, &method, || quote(bytes))?;
            let params = value["params"].as_object_mut().map(std::mem::take).unwrap_or_default();
            let seq = params.get("seq").and_then(Value::as_u64).ok_or_else(|| not_in_schema("`seq` is no integer"))?;
            return Ok(Line::Notification { seq, method, params });
        }
        let id = value["id"].as_i64();
        let id = || id.ok_or_else(|| not_in_schema("every request of the harness is JSON and has an integer id"));
        if value.get("error").is_some() {
            valid(&self.error, &value, "error", || quote(bytes))?;
            let error =
                serde_json::from_value(value["error"].take()).map_err(|error| not_in_schema(&error.to_string()))?;
            return Ok(Line::Error { id: id()?, error });
        }
        valid(&self.answer, &value, "answer", || quote(bytes))?;
        Ok(Line::Answer { id: id()?, result: value["result"].take() })
    }
}

/// How many arrays and objects stand within each other, at most. Looks at brackets alone: whether the line is JSON is found out later.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// JSON of any depth: serde_json's own limit of 128 levels is below what terms need.
fn parse_json(bytes: &[u8]) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    reader.disable_recursion_limit();
    let value = Value::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

fn valid(
    validator: &Validator,
    value: &Value,
    what: &str,
    quoted: impl FnOnce() -> String,
) -> Result<(), AdapterFault> {
    if validator.is_valid(value) {
        return Ok(());
    }
    let not_in_schema = |problem| Err(AdapterFault::NotInSchema { line: quoted(), problem });
    // The schema's recursion makes the search for the place quadratic in the depth.
    if nesting(value) > EXPLAINED {
        return not_in_schema(format!("{what}: the place is not looked for in more than {EXPLAINED} levels"));
    }
    let Some(error) = validator.iter_errors(value).next() else {
        return not_in_schema(what.to_owned());
    };
    let mut place = error.instance_path().to_string();
    if !place.is_empty() {
        place.insert_str(0, " at ");
    }
    not_in_schema(quote(format!("{what}{place}: {error}").as_bytes()))
}

/// As [`depth`], of what has been read.
fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(nesting).max().unwrap_or(0),
        _ => 0,
    }
}

/// A line as it is shown: cut, and with everything that is not text made visible.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(QUOTED * 4)]);
    let mut quoted: String = text.chars().take(QUOTED).flat_map(shown).collect();
    if bytes.len() > QUOTED {
        quoted.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    quoted
}

fn shown(character: char) -> Vec<char> {
    if character.is_control() { character.escape_default().collect() } else { vec![character] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        Line::parse(line.as_bytes()).expect_err("must be refused").to_string()
    }

    #[test]
    fn good_lines_are_read() {
        assert_eq!(
            Line::parse(br#"{"jsonrpc":"2.0","id":3,"result":{}}"#).unwrap(),
            Line::Answer { id: 3, result: json!({}) }
        );
        let error = RpcError { code: -32004, message: "refused".to_owned(), data: None };
        assert_eq!(
            Line::parse(br#"{"jsonrpc":"2.0","id":3,"error":{"code":-32004,"message":"refused"}}"#).unwrap(),
            Line::Error { id: 3, error }
        );
        let opened = br#"{"jsonrpc":"2.0","method":"session.opened","params":{"seq":1,"node":"a@h","creation":7}}"#;
        assert!(matches!(Line::parse(opened).unwrap(), Line::Notification { seq: 1, .. }));
    }

    #[test]
    fn bad_lines_are_quoted_with_the_place() {
        assert!(fault("starting up...").contains("no JSON"));
        assert!(fault("").contains("no JSON"));
        assert!(fault("[]").contains("does not fit"));
        assert!(fault(r#"{"jsonrpc":"2.0","id":"3","result":{}}"#).contains("/id"));
        assert!(fault(r#"{"jsonrpc":"2.0","id":3,"result":{},"error":{"code":1,"message":""}}"#).contains("error"));
        assert!(fault(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}"#).contains("integer id"));
        assert!(fault(r#"{"jsonrpc":"2.0","method":"sesion.opened","params":{"seq":1}}"#).contains("session.opened"));
        let no_seq = r#"{"jsonrpc":"2.0","method":"session.opened","params":{"node":"a@h","creation":7}}"#;
        assert!(fault(no_seq).contains("seq"));
    }

    /// Runs a test with the stack that the harness's threads have.
    fn with_stack(test: fn()) {
        std::thread::Builder::new().stack_size(STACK).spawn(test).unwrap().join().unwrap();
    }

    /// A reason `levels` deep, each one JSON level.
    fn linked(levels: usize, innermost: &str) -> String {
        let pid = r#"{"node":"a@h","creation":1,"local":1}"#;
        let open = format!(r#"{{"kind":"linked","pid":{pid},"reason":"#).repeat(levels - 1);
        format!("{open}{innermost}{}", "}".repeat(levels - 1))
    }

    fn ended(reason: &str) -> String {
        let pid = r#"{"node":"a@h","creation":1,"local":1}"#;
        let params = format!(r#"{{"seq":1,"pid":{pid},"reason":{reason}}}"#);
        format!(r#"{{"jsonrpc":"2.0","method":"process.ended","params":{params}}}"#)
    }

    #[test]
    fn deep_lines_are_read_up_to_the_limit() {
        with_stack(|| {
            let line = ended(&linked(DEEPEST - 2, r#"{"kind":"normal"}"#));
            assert_eq!(depth(line.as_bytes()), DEEPEST);
            let Line::Notification { params, .. } = Line::parse(line.as_bytes()).unwrap() else { panic!("{line}") };
            assert_eq!(params["reason"].to_string(), linked(DEEPEST - 2, r#"{"kind":"normal"}"#));
            assert_eq!(params.clone(), params);
            let bad = ended(&linked(DEEPEST - 2, r#"{"kind":"norml"}"#));
            assert!(fault(&bad).contains("more than 200 levels"));
            assert!(fault(&ended(&linked(3, r#"{"kind":"norml"}"#))).contains("/params/reason"));
            let term = format!(r#"{{"kind":"list","items":[{}"#, r#"{"kind":"unit"}"#.to_owned());
            let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"term":{term}]}},"left_over":""}}}}"#);
            let Line::Answer { result, .. } = Line::parse(answer.as_bytes()).unwrap() else { panic!("{answer}") };
            assert_eq!(check_result("term.decode", &result), Ok(()));
        });
    }

    #[test]
    fn deeper_lines_are_refused_before_they_are_read() {
        for line in
            [ended(&linked(DEEPEST - 1, r#"{"kind":"normal"}"#)), "[".repeat(1 << 20), r#"{"a":"#.repeat(1 << 20)]
        {
            let fault = Line::parse(line.as_bytes()).expect_err("too deep");
            assert!(matches!(&fault, AdapterFault::TooDeep { .. }), "{fault}");
            assert!(fault.to_string().len() < 500, "{fault}");
        }
        assert_eq!(depth(br#"{"a":"[[[\"[[[","b":[]}"#), 2);
    }

    #[test]
    fn results_are_checked_by_method() {
        assert_eq!(check_result("barrier", &json!({})), Ok(()));
        let problem = check_result("node.self", &json!({"name": "a@h", "creation": 256})).expect_err("too large");
        assert!(problem.to_string().contains("/creation"), "{problem}");
        assert_eq!(check_result("no.such.method", &json!({})), Ok(()));
    }

    #[test]
    fn quotes_are_short_and_printable() {
        assert_eq!(quote(b"a\x1b[0m\n"), "a\\u{1b}[0m\\n");
        assert!(quote(&[b'x'; 10_000]).ends_with("… (10000 bytes)"));
    }
}

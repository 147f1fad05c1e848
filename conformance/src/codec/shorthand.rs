//! What stands in files for values that would fill them: `{repeat: …, times: n}` and `{nest: …, times: n, around: …}`. Read, never written.
//!
//! The first is a text, bytes or list n times over. The second is a map n times within itself: `null`, which stands in it once, is the
//! place of the next one, and of `around` in the last.

use serde_json::{Map, Value as Json};

use super::fields::DEPTH_LIMIT;
use super::json::{ValueProblem, misshapen};

/// No repeated text, bytes or list gets longer than this, in bytes or items.
const REPEAT_LIMIT: usize = 64 << 20;

/// The parts of `{repeat: …, times: n}`.
pub(super) fn repeated(json: &Json) -> Result<Option<(&Json, usize)>, ValueProblem> {
    let Some((part, times)) =
        json.as_object().filter(|map| map.len() == 2).and_then(|map| Some((map.get("repeat")?, map.get("times")?)))
    else {
        return Ok(None);
    };
    Ok(Some((part, number(times)?)))
}

/// Whether something of that length can be repeated so often.
pub(super) fn fits(length: usize, times: usize) -> Result<(), ValueProblem> {
    let total = length.max(1).checked_mul(times).filter(|total| *total <= REPEAT_LIMIT);
    total.map(drop).ok_or(ValueProblem::TooLarge)
}

/// What `{nest: …, times: n, around: …}` stands for.
pub(super) fn nested(json: &Json) -> Result<Option<Json>, ValueProblem> {
    let Some((shape, times, around)) = json
        .as_object()
        .filter(|map| map.len() == 3)
        .and_then(|map| Some((map.get("nest")?, map.get("times")?, map.get("around")?)))
    else {
        return Ok(None);
    };
    let times = number(times)?;
    if times > DEPTH_LIMIT {
        return Err(ValueProblem::TooLarge);
    }
    let mut value = around.clone();
    for _ in 0..times {
        let mut outer = shape.clone();
        let mut inner = Some(value);
        fill(&mut outer, &mut inner);
        if inner.is_some() {
            return Err(misshapen("one null, where the next goes", shape));
        }
        value = outer;
    }
    Ok(Some(value))
}

/// Puts the value into the first null.
fn fill(outer: &mut Json, inner: &mut Option<Json>) {
    match outer {
        Json::Null => {
            if let Some(value) = inner.take() {
                *outer = value;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill(item, inner)),
        Json::Object(map) => map.values_mut().for_each(|value| fill(value, inner)),
        _ => {}
    }
}

fn number(times: &Json) -> Result<usize, ValueProblem> {
    times.as_u64().and_then(|times| usize::try_from(times).ok()).ok_or_else(|| misshapen("times, a number", times))
}

/// The value with all of this spelled out, as control lines carry it.
///
/// # Errors
/// [`ValueProblem`] for what would get too large or too deep.
pub fn spelled_out(json: &Json) -> Result<Json, ValueProblem> {
    spell(json, 0)
}

/// Every union takes at most three levels of JSON: a map, a list in it, a record in that.
const JSON_DEPTH: usize = 3 * DEPTH_LIMIT;

fn spell(json: &Json, depth: usize) -> Result<Json, ValueProblem> {
    if depth > JSON_DEPTH {
        return Err(ValueProblem::TooLarge);
    }
    if let Some(nested) = nested(json)? {
        return spell(&nested, depth + 1);
    }
    if let Some((part, times)) = repeated(json)? {
        return Ok(match spell(part, depth + 1)? {
            Json::String(text) => fits(text.len(), times).map(|()| Json::String(text.repeat(times)))?,
            Json::Array(items) => {
                fits(items.len(), times)?;
                Json::Array((0..times).flat_map(|_| items.iter().cloned()).collect())
            }
            other => return Err(misshapen("a text, bytes or a list", &other)),
        });
    }
    Ok(match json {
        Json::Array(items) => Json::Array(items.iter().map(|item| spell(item, depth + 1)).collect::<Result<_, _>>()?),
        Json::Object(map) => {
            let spelled = |(key, value): (&String, &Json)| Ok((key.clone(), spell(value, depth + 1)?));
            Json::Object(map.iter().map(spelled).collect::<Result<Map<_, _>, _>>()?)
        }
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_of_it_is_spelled_out() {
        let short = json!({
            "a": {"repeat": "xy", "times": 2},
            "b": {"repeat": [{"kind": "unit"}], "times": 3},
            "c": {"nest": {"kind": "list", "items": [1, null]}, "times": 2, "around": {"repeat": "z", "times": 1}},
        });
        let long = json!({
            "a": "xyxy",
            "b": [{"kind": "unit"}, {"kind": "unit"}, {"kind": "unit"}],
            "c": {"kind": "list", "items": [1, {"kind": "list", "items": [1, "z"]}]},
        });
        assert_eq!(spelled_out(&short), Ok(long.clone()));
        assert_eq!(spelled_out(&long), Ok(long));
    }

    #[test]
    fn what_cannot_be_spelled_out_is_refused() {
        let nest = |times: u64| json!({"nest": {"kind": "some", "value": null}, "times": times, "around": 0});
        assert!(spelled_out(&nest(256)).is_ok());
        assert_eq!(spelled_out(&nest(257)), Err(ValueProblem::TooLarge));
        let no_place = json!({"nest": {"kind": "some"}, "times": 1, "around": 0});
        assert!(spelled_out(&no_place).unwrap_err().to_string().contains("one null"));
        let endless = json!({"repeat": [{"repeat": "x", "times": u64::MAX}], "times": 1});
        assert_eq!(spelled_out(&endless), Err(ValueProblem::TooLarge));
        assert!(spelled_out(&json!({"repeat": 1, "times": 1})).is_err());
    }
}

//! Any line at all where a control line should be: an adapter's fault, and no panic.

use super::line::{Line, check_result};

const LINES: [&str; 6] = [
    r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
    r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32020,"message":"no","data":{"kind":"malformed"}}}"#,
    r#"{"jsonrpc":"2.0","method":"session.opened","params":{"seq":1,"node":"a@h","creation":7}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"message":"PING","fields":{"nonce":"0102030405060708"},"left_over":""}}"#,
    r#"{"jsonrpc":"2.0","method":"process.ended","params":{"seq":1,"pid":{"node":"a@h","creation":1,"local":1},"reason":{"kind":"normal"}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"frames":["aa"],"end":"complete"}}"#,
];

#[test]
fn any_line_is_read_or_refused() {
    type Shape = (u8, Vec<(u8, u8, Vec<u8>)>);
    bolero::check!().with_type::<Shape>().with_iterations(2_000).for_each(|(seed, changes)| {
        let mut line = LINES[usize::from(*seed) % LINES.len()].as_bytes().to_vec();
        for (at, count, bytes) in changes.iter().take(3) {
            let at = usize::from(*at) % (line.len() + 1);
            let end = (at + usize::from(*count) % 9).min(line.len());
            line.splice(at..end, bytes.iter().copied().take(8));
        }
        match Line::parse(&line) {
            Ok(Line::Answer { result, .. }) => {
                for method in ["codec.decode", "codec.frames", "term.decode", "initialize", "no.such"] {
                    let _ = check_result(method, &result);
                }
            }
            Ok(_) => {}
            Err(fault) => assert!(fault.to_string().len() < 4_000, "{fault}"),
        }
    });
    bolero::check!().with_iterations(2_000).for_each(|bytes| {
        let _ = Line::parse(bytes);
    });
}

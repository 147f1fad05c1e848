//! Why a process ended, as it stands in messages and in the arguments of the function `exit`.

use super::{
    pid::WirePid,
    reader::{Malformed, Reader},
};

/// Most `linked` layers that are read; deeper ones are malformed.
const MAX_LAYERS: usize = 1_024;

/// A reason. The layers of `linked` are a list and not a recursion: depth is the peer's to choose, the stack is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The processes through which the reason came, the nearest first.
    pub(crate) linked: Vec<WirePid>,
    pub(crate) root: Root,
}

/// What stands at the bottom of the layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Normal,
    Error(String),
    Killed,
    Shutdown,
    Custom(String),
    NoConnection,
}

impl Reason {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut linked = Vec::new();
        loop {
            let root = match reader.u8()? {
                0 => Root::Normal,
                1 => Root::Error(text(reader)?),
                2 => Root::Killed,
                3 if linked.len() < MAX_LAYERS => {
                    linked.push(WirePid::from_u64(reader.u64()?));
                    continue;
                }
                4 => Root::Shutdown,
                5 => Root::Custom(text(reader)?),
                6 => Root::NoConnection,
                _ => return Err(Malformed::BadValue),
            };
            return Ok(Self { linked, root });
        }
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let length = usize::try_from(reader.u64()?).map_err(|_| Malformed::Short)?;
    let bytes = reader.bytes(length)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_layers_without_recursion() {
        let mut bytes = Vec::new();
        for _ in 0..64 {
            bytes.push(3);
            bytes.extend_from_slice(&42_u64.to_le_bytes());
        }
        bytes.extend_from_slice(&[1, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i']);
        let reason = Reason::decode(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(reason.linked.len(), 64);
        assert_eq!(reason.root, Root::Error("hi".into()));
        let deep = [[3, 0, 0, 0, 0, 0, 0, 0, 0]; 100_000].concat();
        assert_eq!(Reason::decode(&mut Reader::new(&deep)), Err(Malformed::BadValue));
    }
}

//! Why a process ended, as it stands in messages and in the arguments of the function `exit`.

use std::sync::Arc;

use super::{
    pid::WirePid,
    reader::{Malformed, Reader},
    writer::Writer,
};

/// Most levels of a reason, the root included; deeper ones are cut (PROC-25).
pub(crate) const MAX_LEVELS: usize = 64;

/// What stands in place of what was cut off.
pub(crate) const CUT: &str = "nested too deep";

/// A reason. The levels of `linked` are a list and not a recursion: depth is the peer's to choose, the stack is not.
///
/// `P` is what a nested PID is to whoever holds the reason; on the wire it is a [`WirePid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason<P = WirePid> {
    /// The processes through which the reason came, the nearest first.
    pub(crate) linked: Vec<P>,
    pub(crate) root: Root,
}

/// What stands at the bottom of the levels. Texts may be long and are shared by all who are told of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Normal,
    Error(Arc<str>),
    Killed,
    Shutdown,
    Custom(Arc<str>),
    NoConnection,
}

impl<P> Reason<P> {
    /// What stands for a reason that cannot be read or does not fit (PROC-27, PROC-28).
    pub(crate) fn unknown() -> Self {
        Root::Error("unknown".into()).into()
    }

    /// The same reason with each nested PID as `change` has it.
    pub(crate) fn map<Q>(&self, change: impl FnMut(&P) -> Q) -> Reason<Q> {
        Reason { linked: self.linked.iter().map(change).collect(), root: self.root.clone() }
    }
}

impl<P> From<Root> for Reason<P> {
    fn from(root: Root) -> Self {
        Self { linked: Vec::new(), root }
    }
}

impl Reason {
    /// Reads a reason to its end and keeps [`MAX_LEVELS`] of it.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut linked = Vec::new();
        let mut levels = 1;
        let root = loop {
            match reader.u8()? {
                0 => break Root::Normal,
                1 => break Root::Error(reader.string64()?.into()),
                2 => break Root::Killed,
                3 => {
                    let pid = reader.pid()?;
                    levels += 1;
                    if levels <= MAX_LEVELS {
                        linked.push(pid);
                    }
                }
                4 => break Root::Shutdown,
                5 => break Root::Custom(reader.string64()?.into()),
                6 => break Root::NoConnection,
                _ => return Err(Malformed::BadValue),
            }
        };
        let root = if levels > MAX_LEVELS { Root::Error(CUT.into()) } else { root };
        Ok(Self { linked, root })
    }

    /// Bytes that [`Reason::write`] writes.
    pub(crate) fn length(&self) -> usize {
        let text = match &self.root {
            Root::Error(text) | Root::Custom(text) => 8 + text.len(),
            Root::Normal | Root::Killed | Root::Shutdown | Root::NoConnection => 0,
        };
        self.linked.len() * 9 + 1 + text
    }

    /// The reason itself, or what is sent in its place where only `room` bytes are left for it (PROC-28).
    pub(crate) fn fitting(self, room: usize) -> Self {
        if self.length() <= room { self } else { Self::unknown() }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        for pid in &self.linked {
            writer.u8(3).pid(*pid);
        }
        match &self.root {
            Root::Normal => writer.u8(0),
            Root::Error(text) => writer.u8(1).string64(text),
            Root::Killed => writer.u8(2),
            Root::Shutdown => writer.u8(4),
            Root::Custom(text) => writer.u8(5).string64(text),
            Root::NoConnection => writer.u8(6),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize, root: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for local in 2..=levels as u64 {
            bytes.push(3);
            bytes.extend_from_slice(&local.to_le_bytes());
        }
        [&bytes, root].concat()
    }

    const HI: [u8; 11] = [1, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i'];

    #[test]
    fn sixty_four_levels_are_read_as_they_are_and_deeper_ones_are_cut() {
        let bytes = nested(64, &HI);
        let reason = Reason::decode(&mut Reader::new(&bytes)).unwrap();
        assert_eq!((reason.linked.len(), &reason.root), (63, &Root::Error("hi".into())));
        let mut writer = Writer::new(0xff);
        reason.write(&mut writer);
        assert_eq!(writer.finish().unwrap()[1..], bytes);
        assert_eq!(reason.length(), bytes.len());
        for levels in [65, 100_000] {
            let bytes = [nested(levels, &HI), b"more".to_vec()].concat();
            let mut reader = Reader::new(&bytes);
            let reason = Reason::decode(&mut reader).unwrap();
            assert_eq!((reason.linked.len(), &reason.root), (63, &Root::Error(CUT.into())));
            assert_eq!(reader.rest(), b"more");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        for (root, why) in [
            (&[7][..], Malformed::BadValue),
            (&[0xff], Malformed::BadValue),
            (&[], Malformed::Short),
            (&[3, 1], Malformed::Short),
            (&[1, 1, 0, 0, 0, 0, 0, 0, 0], Malformed::Short),
            (&[5, 255, 255, 255, 255, 255, 255, 255, 255], Malformed::Short),
            (&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0xff], Malformed::NotUtf8),
        ] {
            for levels in [1, 2, 64, 65, 10_000] {
                assert_eq!(Reason::decode(&mut Reader::new(&nested(levels, root))), Err(why), "{root:?} at {levels}");
            }
        }
    }
}

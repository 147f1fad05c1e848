//! A command as a manifest gives it: words, a folder to run in, and placeholders still to be filled.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and its arguments, without a shell between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program, then its arguments. A program with a `/` in it is relative to `directory`. Never empty.
    pub words: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
}

impl CommandLine {
    /// The same command with `{placeholder}` replaced by `value`, wherever in a word it stands.
    #[must_use]
    pub fn filled(&self, placeholder: &str, value: &str) -> Self {
        let written = format!("{{{placeholder}}}");
        let words = self.words.iter().map(|word| word.replace(&written, value)).collect();
        Self { words, directory: self.directory.clone() }
    }

    /// Whether `{placeholder}` stands in any word.
    pub fn mentions(&self, placeholder: &str) -> bool {
        let written = format!("{{{placeholder}}}");
        self.words.iter().any(|word| word.contains(&written))
    }

    /// The command for the standard library, for whoever needs no [`super::NodeProcess`]: builds, lists.
    pub fn command(&self) -> Command {
        let program = Path::new(self.words.first().map_or("", String::as_str));
        // A relative program is looked up by some systems before and by some after the folder is changed.
        let program = if program.components().count() > 1 { self.directory.join(program) } else { program.to_owned() };
        let mut command = Command::new(program);
        command.args(self.words.iter().skip(1)).current_dir(&self.directory);
        command
    }
}

impl std::fmt::Display for CommandLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` in {}", self.words.join(" "), self.directory.display())
    }
}

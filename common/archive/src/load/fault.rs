//! Whose fault it is that rows were not loaded, for those who must tell. Neither is in the error where it is the machine's.

use std::fmt;

/// What the server has refused: it is in the error's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub state: String,
    /// The server's message, without details, which may be values of rows.
    pub message: String,
    /// The table whose rows it refused, as SQL writes it; absent of a statement.
    pub table: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.state)
    }
}

impl std::error::Error for Refused {}

/// The dump is not whole: it is in the error's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It cannot be read to its end, and why.
    BreaksOff(String),
    /// It says that it has the rows of these tables, and has not even none.
    WithoutRows(Vec<String>),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BreaksOff(why) => f.write_str(why),
            Self::WithoutRows(tables) => write!(f, "the dump has no rows of {}, not even none", tables.join(", ")),
        }
    }
}

impl std::error::Error for Broken {}

//! Where the demo keeps its files.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Marks a directory as a demo's own, which the next demo may replace.
const MARK: &str = ".tabularium-demo";

/// The demo's directory: the node's data, the repository, and CSV files while they are loaded.
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    /// A fresh directory: `chosen`, or one under the system's directory for temporary files. What an earlier demo
    /// left there is removed; anything else is left alone and refused.
    pub(super) fn prepare(chosen: Option<PathBuf>) -> Result<Self> {
        let root = chosen.unwrap_or_else(|| std::env::temp_dir().join("tabularium-demo"));
        let root = std::path::absolute(&root).with_context(|| format!("{}", root.display()))?;
        let context = || format!("cannot prepare {}", root.display());
        if root.join(MARK).is_file() {
            std::fs::remove_dir_all(&root).with_context(context)?;
        } else if root.is_dir() && std::fs::read_dir(&root).with_context(context)?.next().is_some() {
            bail!("{} is not empty and no demo's: choose another --data-dir, or empty it", root.display());
        }
        std::fs::create_dir_all(&root).with_context(context)?;
        std::fs::write(root.join(MARK), "made by `tabularium demo`; the next demo replaces this directory\n")
            .with_context(context)?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn csv(&self, table: &str) -> PathBuf {
        self.root.join(format!("{table}.csv"))
    }

    pub(super) fn repository_url(&self) -> Result<String> {
        let path = self.root.join("repository");
        let text = path.to_str().context("the path of the demo is not UTF-8")?;
        Ok(format!("file://{text}"))
    }
}

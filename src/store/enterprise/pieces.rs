//! Bytes that come in pieces: one file for all of them, each written where it belongs. What may come, and
//! when, is not judged here.

use std::{io::SeekFrom, path::PathBuf, sync::Arc};

use object_store::{ObjectStoreExt as _, local::LocalFileSystem, path::Path};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use crate::error::{Error, Result};

/// The folder of attachments, as pieces are written in it. Whole files are the object store's.
#[derive(Debug, Clone)]
pub struct Pieces(Arc<LocalFileSystem>);

impl Pieces {
    /// In this folder.
    #[must_use]
    pub const fn new(files: Arc<LocalFileSystem>) -> Self {
        Self(files)
    }

    /// Writes a piece at its place; the same again replaces it.
    pub async fn put(&self, path: &Path, offset: u64, data: &[u8]) -> Result<()> {
        let place = self.place(path)?;
        if let Some(folder) = place.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(Error::internal)?;
        }
        let mut how = tokio::fs::OpenOptions::new();
        how.create(true).truncate(false).write(true);
        let mut file = how.open(&place).await.map_err(Error::internal)?;
        file.seek(SeekFrom::Start(offset)).await.map_err(Error::internal)?;
        file.write_all(data).await.map_err(Error::internal)?;
        file.flush().await.map_err(Error::internal)
    }

    /// What has come, up to this length.
    pub async fn whole(&self, path: &Path, length: u64) -> Result<Vec<u8>> {
        if length == 0 {
            return Ok(Vec::new());
        }
        self.range(path, 0, length).await
    }

    /// A part of what has come.
    pub async fn range(&self, path: &Path, from: u64, until: u64) -> Result<Vec<u8>> {
        let found = self.0.get_range(path, from..until).await.map_err(Error::internal)?;
        Ok(found.to_vec())
    }

    /// Takes away what came; what is not there is gone.
    pub async fn forget(&self, path: &Path) -> Result<()> {
        match tokio::fs::remove_file(self.place(path)?).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::internal(error))
            }
            _ => Ok(()),
        }
    }

    fn place(&self, path: &Path) -> Result<PathBuf> {
        self.0.path_to_filesystem(path).map_err(Error::internal)
    }
}

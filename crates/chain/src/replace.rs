//! A small file replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes `FILE.unfinished` beside a file and moves it there, so that a kill leaves what was there or all of this; it is
/// durable when this returns. Whatever bears the unfinished name, a link to elsewhere too, is removed and not written to.
/// `mode` is what the file may be used for, less what the process holds back: 0o600 for what nobody else may read.
///
/// # Errors
/// The system's; what was there is still there.
pub fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = PathBuf::from(format!("{}.unfinished", path.display()));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

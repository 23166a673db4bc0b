//! The node's key in its file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::transport::{KeyError, node_key, node_key_path};

#[test]
fn it_is_made_once_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = node_key_path(directory.path());
    let made = node_key(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(node_key(&path).unwrap().public(), made.public());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn what_is_no_key_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = node_key_path(directory.path());
    let key = {
        node_key(&path).unwrap();
        fs::read(&path).unwrap()
    };
    for bytes in [&key[..key.len() - 1], &[&key[..], b"\n"].concat(), b"", &vec![b'0'; 1 << 20]] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(node_key(&path), Err(KeyError::Content { .. })));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::write(&path, &key).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(node_key(&path), Err(KeyError::Mode { mode: 0o640, .. })));
}

#[test]
fn links_and_what_is_no_file_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (node_key_path(directory.path()), directory.path().join("elsewhere"));
    node_key(&elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(matches!(node_key(&path), Err(KeyError::NotAFile { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(node_key(&path), Err(KeyError::NotAFile { .. })));
}

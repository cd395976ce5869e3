"""What is kept of a file that another one replaces: mode, owner, access control list."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

__all__ = ["copy_attributes"]

_ACL = "system.posix_acl_access"
_LABEL = "security.selinux"


def copy_attributes(old: int, new: int) -> None:
    """Give a new file the owner, the mode and the attributes of an old one, as far as allowed.

    Nobody gets access to the new file who had none to the old one: what cannot be kept takes
    rights away.

    Args:
        old, new: descriptors; the new file must be one that only its owner can open so far.
    """
    status, made = os.fstat(old), os.fstat(new)
    mode = stat.S_IMODE(status.st_mode)
    if (status.st_uid, status.st_gid) != (made.st_uid, made.st_gid):
        has_owner = _own(new, status.st_uid, status.st_gid)
        has_group = has_owner or _own(new, -1, status.st_gid)
        if not has_owner:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
        if not has_group:
            mode = _without_group(mode)
    if hasattr(os, "listxattr") and not _copy_attributes(old, new):
        mode = _without_group(mode)
    # The owner first: a change of that takes away bits of the mode. File systems without modes
    # may refuse; then the file stays as it was made, for its owner.
    with suppress(OSError):
        os.fchmod(new, mode)


def _own(file: int, user: int, group: int) -> bool:
    try:
        os.fchown(file, user, group)
    except OSError:
        return False
    return True


def _without_group(mode: int) -> int:
    """Leave a group no more rights than everybody has."""
    return mode & ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3


def _copy_attributes(old: int, new: int) -> bool:
    """Copy extended attributes; tell whether the access control list is the same then."""
    try:
        names = os.listxattr(old)
        inherited = os.listxattr(new)
    except OSError:
        return True
    for name in names:
        if name == _LABEL or name.startswith("user."):
            # It may not be allowed.
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))
    try:
        if _ACL in names:
            os.setxattr(new, _ACL, os.getxattr(old, _ACL))
        elif _ACL in inherited:
            # That of the directory: the old file did without.
            os.removexattr(new, _ACL)
    except OSError:
        return False
    return True

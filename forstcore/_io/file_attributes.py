"""Copying mode, owner and access control list to a file that replaces another one."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

__all__ = ["copy_attributes"]

_ACL = "system.posix_acl_access"
_LABEL = "security.selinux"


def copy_attributes(old: int, new: int) -> None:
    """Copy owner, mode, access control list and extended attributes, as far as permitted.

    If something cannot be copied, the mode is restricted so that the new file is accessible only
    to users who had access to the old one.

    Args:
        old, new: descriptors of the files; only the owner has access to the new one before.
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
    # After the owner, because changing that clears set-user-ID. Some file systems have no modes.
    with suppress(OSError):
        os.fchmod(new, mode)


def _own(file: int, user: int, group: int) -> bool:
    try:
        os.fchown(file, user, group)
    except OSError:
        return False
    return True


def _without_group(mode: int) -> int:
    """Reduce the permissions of group and others to those that both have."""
    both = (mode >> 3) & mode & stat.S_IRWXO
    return mode & ~(stat.S_IRWXG | stat.S_IRWXO) | both << 3 | both


def _copy_attributes(old: int, new: int) -> bool:
    """Copy extended attributes; return whether the access control lists are now equal."""
    try:
        names = os.listxattr(old)
        inherited = os.listxattr(new)
    except OSError:
        return True
    for name in names:
        if name == _LABEL or name.startswith("user."):
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))
    try:
        if _ACL in names:
            os.setxattr(new, _ACL, os.getxattr(old, _ACL))
        elif _ACL in inherited:
            # Inherited from the directory's default ACL, which the old file does not have.
            os.removexattr(new, _ACL)
    except OSError:
        return False
    return True

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DATA_FILE_H
#define DATA_FILE_H

#define DATA_DIRECTORY	"/var/cache/ldmshare"

#endif /* DATA_FILE_H */

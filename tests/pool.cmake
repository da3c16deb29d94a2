# SPDX-License-Identifier: Apache-2.0
# libdanpool: the ladder, the public headers, and one executable for each unit.

package ui

import "plimsoll/release"

var _ Backend = (*release.Desk)(nil)

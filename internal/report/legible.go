package report

import show "rekey/internal/visible"

// legible is v as it may be printed. Names come from vendors, where anybody may have
// chosen them: every exported function of this package shows only what went
// through here.
func legible[T any](v T) T { return show.Copy(v) }

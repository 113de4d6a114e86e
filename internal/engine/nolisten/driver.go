// Package riverpgxv5 stands in for River's driver of that name, of which the queue's
// driver for database/sql uses one part: listening on a pool of pgx. Rekey polls and
// never listens (a pooler in front of PostgreSQL would swallow what is told), and with
// the original the linker keeps the whole of pgx beside pgconn, which is 3.5 MB of code
// that nothing calls. go.mod puts it in the original's place; docs/decisions/0017
// says more.
package riverpgxv5

import "github.com/riverqueue/river/riverdriver"

// Driver can be named, and not made.
type Driver struct{}

// New refuses: a caller that wants to listen needs the original.
func New(any) *Driver {
	panic("this program is built without River's pgx driver: take the replace directive out of go.mod")
}

// GetListener is never reached, for there is no Driver.
func (*Driver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	panic("this program is built without River's pgx driver")
}

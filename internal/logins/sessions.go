package logins

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/provider"
)

// What becomes of sessions that are open when a login is ended, as issuer.sessions says;
// with anything else it is not ended. The servers themselves let them live on, even those of a login that is gone.
const (
	SessionsTerminate = "terminate"
	SessionsLeave     = "leave"
)

// Sessions ends those of a login, or refuses while there are some, before it is ended:
// list tells them, and terminate ends them.
func (a *Admin) Sessions(op, mode, login string, list func() ([]provider.User, error), terminate func() error) error {
	switch mode {
	case SessionsLeave:
		return nil
	case SessionsTerminate:
		return terminate()
	}
	users, err := list()
	if err == nil && len(users) > 0 {
		err = a.Refuse(op, "sessions of %s are open: %s; end them, or say issuer.sessions: terminate", login, inWords(users))
	}
	return err
}

func inWords(users []provider.User) string {
	var out []string
	for _, u := range users {
		who := slices.DeleteFunc([]string{u.Name, u.From}, func(s string) bool { return s == "" })
		switch {
		case u.Name != "":
			out = append(out, fmt.Sprintf("%d of %s", u.Count, strings.Join(who, " from ")))
		case u.From != "":
			out = append(out, fmt.Sprintf("%d from %s", u.Count, u.From))
		default:
			out = append(out, fmt.Sprintf("%d of an unnamed program", u.Count))
		}
	}
	return strings.Join(out, ", ")
}

package double

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Five refused logins within 15 minutes lock a role id for 15 minutes.
const (
	mostRefused = 5
	lockedFor   = 15 * time.Minute
)

// role is one AppRole.
type role struct {
	id       string
	bound    bool
	uses     int
	life     time.Duration
	policies []string
	ids      []*secretID
}

type secretID struct {
	value, accessor  string
	created, expires time.Time
	uses             int
	metadata         map[string]string
	cidrs, bound     []string
}

func (x *secretID) shows() map[string]any {
	expires := "0001-01-01T00:00:00Z"
	if !x.expires.IsZero() {
		expires = x.expires.Format(time.RFC3339Nano)
	}
	return map[string]any{"secret_id_accessor": x.accessor, "creation_time": x.created.Format(time.RFC3339Nano), "last_updated_time": x.created.Format(time.RFC3339Nano),
		"expiration_time": expires, "secret_id_num_uses": x.uses, "secret_id_ttl": 0, "metadata": x.metadata, "cidr_list": x.cidrs, "token_bound_cidrs": x.bound}
}

// role answers what is below auth/.
func (s *Server) role(r request, path string) said {
	mount, rest, found := strings.Cut(path, "/role/")
	if !found || !s.approles[mount] {
		return refuse(http.StatusNotFound, "no handler for route %q. route entry not found.", r.path)
	}
	name, below, _ := strings.Cut(rest, "/")
	x := s.roles[mount+"/"+name]
	if below == "" {
		return s.settings(r, mount+"/"+name, x)
	}
	if x == nil {
		return missing(r, below, name)
	}
	x.ids = slices.DeleteFunc(x.ids, func(i *secretID) bool { return !i.expires.IsZero() && !i.expires.After(s.now()) })
	switch {
	case below == "role-id" && r.op == "update":
		x.id = r.text("role_id")
		return done
	case below == "role-id":
		return ok(map[string]any{"role_id": x.id})
	case below == "secret-id" && r.op == "list":
		keys := []string{}
		for _, i := range x.ids {
			keys = append(keys, i.accessor)
		}
		if len(keys) == 0 {
			return nothing
		}
		return ok(map[string]any{"keys": keys})
	case below == "secret-id":
		return s.make(r, x)
	case below == "secret-id/lookup":
		if i := x.find(func(i *secretID) bool { return i.value == r.text("secret_id") }); i != nil {
			return ok(i.shows())
		}
		return done
	case strings.HasPrefix(below, "secret-id-accessor/"):
		accessor := r.text("secret_id_accessor")
		i := x.find(func(i *secretID) bool { return i.accessor == accessor })
		switch end := below == "secret-id-accessor/destroy"; {
		case i == nil && end:
			return refuse(http.StatusInternalServerError, "1 error occurred:\n\t* failed to find accessor entry for secret_id_accessor: %q\n\n", accessor)
		case i == nil:
			return said{status: http.StatusNotFound, data: map[string]any{"error": fmt.Sprintf("failed to find accessor entry for secret_id_accessor: %q", accessor)}}
		case end:
			x.ids = slices.DeleteFunc(x.ids, func(o *secretID) bool { return o == i })
			return done
		}
		return ok(i.shows())
	}
	return refuse(http.StatusNotFound, "no handler for route %q. route entry not found.", r.path)
}

// missing is said of a role that there is not: 400 to a list, 404 to a create, 500 to a
// look.
func missing(r request, below, name string) said {
	switch {
	case below == "secret-id" && r.op == "list":
		return refuse(http.StatusBadRequest, "role %q does not exist", name)
	case below == "secret-id":
		return refuse(http.StatusNotFound, "role %q does not exist", name)
	case below == "role-id":
		return nothing
	}
	return refuse(http.StatusInternalServerError, "1 error occurred:\n\t* role %q does not exist\n\n", name)
}

func (x *role) find(is func(*secretID) bool) *secretID {
	if at := slices.IndexFunc(x.ids, is); at >= 0 {
		return x.ids[at]
	}
	return nil
}

func (s *Server) settings(r request, key string, x *role) said {
	switch {
	case r.op == "read" && x == nil:
		return nothing
	case r.op == "read":
		return ok(map[string]any{"bind_secret_id": x.bound, "secret_id_num_uses": x.uses, "secret_id_ttl": int(x.life.Seconds()), "token_policies": x.policies, "token_max_ttl": 0})
	}
	if x == nil {
		x = &role{id: s.name("role"), bound: true}
		s.roles[key] = x
	}
	if n, given := r.number("secret_id_num_uses"); given {
		x.uses = n
	}
	if d, err := time.ParseDuration(r.text("secret_id_ttl")); err == nil {
		x.life = d
	}
	if r.body["bind_secret_id"] != nil {
		_ = json.Unmarshal(r.body["bind_secret_id"], &x.bound)
	}
	if r.body["token_policies"] != nil {
		_ = json.Unmarshal(r.body["token_policies"], &x.policies)
	}
	return done
}

func (s *Server) make(r request, x *role) said {
	if !x.bound {
		return refuse(http.StatusBadRequest, "bind_secret_id is not set on the role")
	}
	life := x.life
	if n, given := r.number("ttl"); given {
		life = time.Duration(n) * time.Second
		if x.life > 0 && (life == 0 || life > x.life) {
			return refuse(http.StatusBadRequest, "ttl cannot be longer than the role's secret_id_ttl")
		}
	}
	i := &secretID{value: s.name("secret-id"), accessor: s.name("accessor"), created: s.now().UTC(), uses: x.uses, metadata: map[string]string{}, cidrs: []string{}, bound: []string{}}
	_ = json.Unmarshal([]byte(r.text("metadata")), &i.metadata)
	_ = json.Unmarshal(r.body["cidr_list"], &i.cidrs)
	_ = json.Unmarshal(r.body["token_bound_cidrs"], &i.bound)
	if life > 0 {
		i.expires = i.created.Add(life)
	}
	x.ids = append(x.ids, i)
	return ok(map[string]any{"secret_id": i.value, "secret_id_accessor": i.accessor, "secret_id_ttl": int(life.Seconds()), "secret_id_num_uses": i.uses})
}

func (s *Server) login(r request) said {
	mount := strings.TrimSuffix(strings.TrimPrefix(r.path, "auth/"), "/login")
	if !s.approles[mount] {
		return unknown
	}
	id, value := r.text("role_id"), r.text("secret_id")
	switch {
	case id == "":
		return refuse(http.StatusInternalServerError, "failed to determine alias name from login request")
	case len(s.refused[id]) >= mostRefused && s.now().Sub(s.refused[id][len(s.refused[id])-1]) < lockedFor:
		return unknown
	}
	for key, x := range s.roles {
		if x.id != id || !strings.HasPrefix(key, mount+"/") {
			continue
		}
		i := x.find(func(i *secretID) bool { return i.value == value && (i.expires.IsZero() || i.expires.After(s.now())) })
		switch {
		case value == "":
			return refuse(http.StatusBadRequest, "missing secret_id")
		case i == nil:
			s.refused[id] = append(s.refused[id], s.now())
			return refuse(http.StatusBadRequest, "invalid secret id")
		case i.uses == 1:
			x.ids = slices.DeleteFunc(x.ids, func(o *secretID) bool { return o == i })
		case i.uses > 1:
			i.uses--
		}
		delete(s.refused, id)
		return said{status: http.StatusOK, auth: map[string]any{"client_token": s.token(x.policies), "accessor": s.name("token-accessor"), "lease_duration": 2764800, "renewable": true, "token_type": "service"}}
	}
	return refuse(http.StatusBadRequest, "invalid role ID")
}

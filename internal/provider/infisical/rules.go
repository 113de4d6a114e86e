package infisical

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// rule is a secret validation rule as listed. Its shape has changed twice within
// 2026: constraints in one list under inputs, beside the id of an environment
// (Infisical pull request 6123, April); then by target, with the environment itself, reuse first
// below reusePrevention (Infisical pull request 8094, September) and then flat (api-reference/
// endpoints/secret-validation-rules/static-secrets/create).
type rule struct {
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	Active      *bool   `json:"isActive"`
	Path        string  `json:"secretPath"`
	EnvID       *string `json:"envId"`
	Environment *struct {
		Slug string `json:"slug"`
	} `json:"environment"`
	Inputs struct {
		Constraints []struct {
			Type   string          `json:"type"`
			Target string          `json:"appliesTo"`
			Value  json.RawMessage `json:"value"`
			// The editor's own words for the two checks, should they be stored.
			Previous *bool `json:"checkPreviousVersions"`
			Others   *bool `json:"checkOtherSecretsInScope"`
		} `json:"constraints"`
	} `json:"inputs"`
	Values map[string]json.RawMessage `json:"valueConstraints"`
	Keys   map[string]json.RawMessage `json:"keyConstraints"`
}

// demands are what a rule asks of a value.
type demands struct {
	versions int  // it may not be one of so many of the same name; -1: of an unknown number
	others   bool // no other name in scope may hold it
	more     bool // something else, of value or name
}

func (r rule) demands() (d demands) {
	for _, c := range r.Inputs.Constraints {
		switch c.Type {
		case "prevent-value-reuse":
			if c.Previous == nil || *c.Previous {
				d.versions = number(c.Value)
			}
			d.others = d.others || c.Others != nil && *c.Others
		case "prevent-duplicated-values":
			d.others = true
		case "unique-secret-value":
			var v struct {
				Versions struct {
					Enabled bool `json:"enabled"`
				} `json:"secretVersions"`
				Others struct {
					Enabled bool `json:"enabled"`
				} `json:"otherSecrets"`
			}
			_ = json.Unmarshal(c.Value, &v)
			if v.Versions.Enabled {
				d.versions = -1
			}
			d.others = d.others || v.Others.Enabled
		default:
			d.more = true
		}
	}
	d.more = d.more || len(r.Keys) > 0
	for name, v := range r.Values {
		switch name {
		case "uniqueAcrossLastVersions":
			d.versions = number(v)
		case "uniqueWithinScope":
			d.others = string(v) == "true"
		case "reusePrevention":
			var nested struct {
				Versions json.RawMessage `json:"previousVersions"`
				Others   bool            `json:"otherSecretsInScope"`
			}
			_ = json.Unmarshal(v, &nested)
			if len(nested.Versions) > 0 {
				d.versions = number(nested.Versions)
			}
			d.others = d.others || nested.Others
		default:
			d.more = true
		}
	}
	return d
}

// number reads 10 or "10"; what is neither counts as some.
func number(raw json.RawMessage) int {
	n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil {
		return -1
	}
	return n
}

// covers: a folder, or a pattern as /** or /services/*
// [documentation/platform/secret-validation-rules, Scoping Rules].
func (r rule) covers(folder string) bool {
	pattern := "/" + strings.Trim(r.Path, "/")
	if strings.ContainsAny(pattern, "?[]{}()!+@") {
		return true // more than is understood here: better told than overlooked
	}
	var re strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case strings.HasPrefix(pattern[i:], "/**"):
			re.WriteString("(/.*)?")
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			re.WriteString(".*")
			i++
		case pattern[i] == '*':
			re.WriteString("[^/]*")
		default:
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	ok, err := regexp.MatchString("^"+re.String()+"$", folder)
	return err != nil || ok
}

// Foresee reads the project's rules (GET /api/v1/projects/{projectId}/secret-
// validation-rules): a value that was held before, or that another name holds, may
// be refused, and then neither a rollback nor a former name is possible
// (docs/vendors/infisical.md).
func (f *folder) Foresee(ctx context.Context, writes []provider.Intended) (out provider.Foreseen, err error) {
	const op = "read the rules about values"
	var said struct {
		Rules *[]rule `json:"rules"`
	}
	resp, err := f.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/api/v1/projects/" + url.PathEscape(f.project) + "/secret-validation-rules"})
	if absentWhat(err) == noRoute {
		return out, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Absent, Status: http.StatusNotFound, Code: noRoute, Why: "the server lists none, as those did that are older than such rules"}
	}
	if err != nil {
		return out, f.session.ended(err, op)
	}
	if err := resp.Decode(&said); err != nil {
		return out, err
	}
	if said.Rules == nil {
		return out, resp.Nonsense("the answer lacks the rules")
	}
	for _, r := range *said.Rules {
		applies, sure, err := f.applies(ctx, r)
		if err != nil {
			return out, err
		}
		d := r.demands()
		if !applies {
			continue
		}
		name := fmt.Sprintf("the validation rule %q", r.Name)
		if d.versions != 0 {
			how := "a value that the same name held before"
			if d.versions > 0 {
				how = fmt.Sprintf("a value that is among the last %d of the same name", d.versions)
			}
			note(&out, sure, name+" refuses "+how+": a rollback could not give the old values back")
		}
		if twins := alike(writes); d.others && twins != "" {
			note(&out, sure, name+" refuses a value that another name holds: "+twins+" are to hold the same")
		}
		if d.more {
			out.Told = append(out.Told, name+" demands something of names or values here; whether what is made satisfies it shows at the write, which can be undone")
		}
	}
	return out, nil
}

// applies reports whether a rule is about this folder, and whether that is sure.
func (f *folder) applies(ctx context.Context, r rule) (applies, sure bool, err error) {
	if r.Active != nil && !*r.Active || r.Type != "" && r.Type != "static-secrets" || !r.covers(f.at.Path) {
		return false, true, nil
	}
	switch {
	case r.Environment != nil:
		return r.Environment.Slug == f.at.Environment, true, nil
	case r.EnvID == nil:
		return true, true, nil // of all environments
	}
	p, err := f.read(ctx)
	if err != nil {
		return true, false, nil // it may be this one
	}
	for _, e := range p.Environments {
		if e.ID == *r.EnvID {
			return e.Slug == f.at.Environment, true, nil
		}
	}
	return true, false, nil
}

// alike names two slots that will hold the same value, "" if there are none.
func alike(writes []provider.Intended) string {
	first := map[string]string{}
	for _, w := range writes {
		if other, seen := first[w.Like]; seen {
			pair := []string{other, w.Slot}
			slices.Sort(pair)
			return strings.Join(pair, " and ")
		}
		first[w.Like] = w.Slot
	}
	return ""
}

// note takes what is not sure for possible, never for absent.
func note(out *provider.Foreseen, sure bool, text string) {
	if sure {
		out.Refused = append(out.Refused, text)
		return
	}
	out.Told = append(out.Told, text+" (if it is about the environment meant here, which could not be told)")
}

//go:build !windows

package mysql

import (
	"strings"
	"testing"

	"rekey/internal/secret"
)

// TestOfMySQL is by MySQL's manual alone: no MySQL runs where this was written.
func TestOfMySQL(t *testing.T) {
	var d dialect = mySQL{}
	p := secret.New("pw")
	roll, _ := d.beside("'u'@'%'", p, "0")
	end, _ := d.alone("'u'@'%'", "1")
	for got, want := range map[string]string{
		roll:                         "ALTER USER 'u'@'%' IDENTIFIED BY 'pw' RETAIN CURRENT PASSWORD",
		end:                          "ALTER USER 'u'@'%' DISCARD OLD PASSWORD",
		d.defaults("app", "'u'@'%'"): "SET DEFAULT ROLE `app` TO 'u'@'%'",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	back, _ := d.only("'u'@'%'", p, "1")
	if got := strings.Join(back, "; "); got != "ALTER USER 'u'@'%' IDENTIFIED BY 'pw'; ALTER USER 'u'@'%' DISCARD OLD PASSWORD" {
		t.Errorf("back by %s", got)
	}
	for kept, want := range map[string]int{"1": 2, "0": 1, "": 1} {
		if n, err := d.kept(kept); n != want || err != nil {
			t.Errorf("%q: %d, %v", kept, n, err)
		}
	}
	if list := d.list("CONNECTION_ID()"); !strings.Contains(list, "$.additional_password") {
		t.Error(list)
	}
}

// TestWaysOfMariaDB: whatever ways there are stay, in their order.
func TestWaysOfMariaDB(t *testing.T) {
	for kept, want := range map[string]string{
		`{"plugin":"mysql_native_password","authentication_string":"*A"}`: "`mysql_native_password` USING '*A'",
		`{"authentication_string":"*A"}`:                                  "`mysql_native_password` USING '*A'",
		`{"plugin":"ed25519","authentication_string":"it's","auth_or":[{"plugin":"mysql_native_password","authentication_string":"*B"},{}]}`: "`mysql_native_password` USING '*B' OR `ed25519` USING 'it''s'",
	} {
		got, err := mariaDB{}.beside("u", secret.New("password"), kept)
		if err != nil || got != "ALTER USER u IDENTIFIED VIA `mysql_native_password` USING '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19' OR "+want {
			t.Errorf("%s: %s, %v", kept, got, err)
		}
	}
	for _, kept := range []string{"", "[]", "{"} {
		if _, err := (mariaDB{}).kept(kept); err == nil {
			t.Errorf("%q is understood", kept)
		}
	}
}

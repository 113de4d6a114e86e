package document

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rekey/internal/sop"
)

// A command of a check gets, by hand as well, the value by its standard input: of the old
// one before the switch, of the new one after it.
func TestACommandIsGivenTheValueByHandToo(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("jq is not installed")
		}
		t.Skip("NOT RUN: jq is not installed")
	}
	dir := t.TempDir()
	check := commanded(1, sop.Check{Command: []string{"sh", "-c", `[ "$(cat)" = "$0" ]`, "it's"}, Stdin: "{password}"})
	run := func(script string) error {
		c := exec.Command("bash", "-euc", script+"\n"+check+"\ncheck_1")
		c.Dir = dir
		return c.Run()
	}
	if err := run(`mkdir was new; printf "%s" "it's" > was/password; printf other > new/password`); err != nil {
		t.Errorf("before the switch: %v", err)
	}
	if err := run(`date > settled`); err == nil {
		t.Error("after the switch it is given the old one")
	}
	if err := run(`printf "%s" "it's" > new/password`); err != nil {
		t.Errorf("after the switch: %v", err)
	}
	if q := commanded(2, sop.Check{Vendor: "db", Query: "SELECT 1"}); !strings.HasPrefix(q, "check_2() { by_hand ") {
		t.Error(q)
	}
}

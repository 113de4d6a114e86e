package realserver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Built is where servers/FOLDER/build.sh has put the real server what, or where variable
// says. Where it is not there the test is skipped and says so; where CI=true and
// REKEY_SERVERS=1 it fails.
func Built(t *testing.T, folder, version, variable, what string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(cache, "rekey", "servers", folder+"-"+version)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	script := fmt.Sprintf("sh servers/%s/build.sh", folder)
	if os.Getenv("CI") == "true" && os.Getenv("REKEY_SERVERS") == "1" {
		t.Fatalf("%s is not at %s, and CI has to have it: %s", what, path, script)
	}
	t.Skipf("SKIPPED: %s is not at %s; %s builds it, once", what, path, script)
	return ""
}

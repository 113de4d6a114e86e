module github.com/riverqueue/river/riverdriver/riverpgxv5

go 1.26.0

require github.com/riverqueue/river/riverdriver v0.51.2

require github.com/riverqueue/river/rivertype v0.51.2 // indirect

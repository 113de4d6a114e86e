module rekey/driver

go 1.26

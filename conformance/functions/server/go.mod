module gantry.test/server

go 1.23

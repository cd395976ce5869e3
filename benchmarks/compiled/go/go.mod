module weblog

go 1.19

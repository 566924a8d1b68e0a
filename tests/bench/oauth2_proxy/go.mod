// What `go install` builds oauth2-proxy from: its version here, the hash of every module in go.sum.
module oauth2_proxy

go 1.26.0

require github.com/oauth2-proxy/oauth2-proxy/v7 v7.15.3

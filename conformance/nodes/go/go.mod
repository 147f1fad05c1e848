module snow

go 1.26

// FRAME-5: the initiator accepts any certificate, odd ones included.
godebug (
	rsa1024min=0
	x509negativeserial=1
)

require github.com/coder/websocket v1.8.15

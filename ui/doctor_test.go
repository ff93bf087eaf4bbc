package ui

import (
	"errors"
	"testing"

	"plimsoll/release/doctor"
)

func sampleReport() doctor.Report {
	return doctor.Of(doctor.Service{Service: "chat-api", Facts: []doctor.Fact{
		{ID: "staging-read", Subject: "staging.example.com/chat-api", Status: doctor.OK, Summary: "staging can be read", Detail: "its tags were listed"},
		{ID: "everyday-write", Subject: "prod.example.com/chat-api", Status: doctor.Broken, Summary: "the everyday identity may write prod", Detail: "an upload was opened and cancelled", Hint: "take push away from it; only promote needs it"},
		{ID: "retention", Subject: "prod.example.com/chat-api", Status: doctor.Unknown, Summary: "what retention removes could not be told", Detail: "403 DENIED"},
		{ID: "root", Subject: "github-e2e", Status: doctor.Warning, Summary: "the trusted root of github-e2e is 40 days old", Hint: "plimsoll trust asks for it again"},
	}})
}

func TestTheDoctorSaysWhatToDoFirst(t *testing.T) {
	desk := newFake(t)
	desk.doctor = sampleReport()
	d := start(t, desk).press("D").sees("doctor: 1 broken, 2 warnings", "✗ the everyday identity may write prod  (prod.example.com/chat-api)", "do: take push away", "? what retention removes", "✓ staging can be read")
	d.press("c").sees("copy sent: what the doctor says of chat-api")
	if len(d.copied) != 1 {
		t.Fatalf("copied %q", d.copied)
	}
	d.wait(10 * hour)
	if n := desk.count("doctor chat-api"); n != 1 {
		t.Errorf("it looked %d times by itself", n)
	}
	d.press("r", "esc").sees("candidates")
	if n := desk.count("doctor chat-api"); n != 2 {
		t.Errorf("r made it look %d times", n)
	}
}

func TestADoctorThatCannotLookSaysWhy(t *testing.T) {
	desk := newFake(t)
	desk.doctorErr = errors.New("connection refused")
	start(t, desk).press("s", "D").sees("plimsoll  chat-api", "✗ chat-api could not be looked into", "connection refused")
}

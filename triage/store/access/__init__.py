"""Who may sign in: staff, devices, enrolment, sessions."""

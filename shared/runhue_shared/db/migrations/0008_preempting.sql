-- The sweeper looks for runs that said they are about to be preempted and then fell silent.
CREATE INDEX run_preempting ON run (heartbeat_at) WHERE state = 'preempting';

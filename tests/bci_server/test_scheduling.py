def test_what_is_said_is_what_the_kernel_says(fresh_python):
    line = (
        "import os; from bci_server.scheduling import raise_priority; said = raise_priority();"
        "fifo = os.sched_getscheduler(0) == os.SCHED_FIFO; nicer = os.nice(0) < 0;"
        "print(said == ('fifo' if fifo else 'nice' if nicer else 'normal'))"
    )
    assert fresh_python(line) == "True"

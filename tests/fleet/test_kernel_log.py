from chalicelib.fleet.kernel_log import killed_for_memory

KILL = (
    "6,1024,5000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,"
    "oom_memcg=/lxc.payload.berth_{name},task_memcg=/lxc.payload.berth_{name}{below},"
    "task={task},pid=44,uid=9772321"
)


def test_the_last_program_killed_in_the_container_is_named() -> None:
    lines = [
        KILL.format(name="a-1", below="", task="cc1plus"),
        KILL.format(name="a-1", below="/system.slice/x.service", task="ld"),
        KILL.format(name="b-1", below="", task="java"),
    ]

    assert killed_for_memory(lines, project="berth", container="a-1") == "ld"


def test_a_container_whose_name_only_begins_alike_is_another() -> None:
    lines = [KILL.format(name="a-10", below="", task="java")]

    assert killed_for_memory(lines, project="berth", container="a-1") == ""


def test_other_lines_say_nothing() -> None:
    assert killed_for_memory(["6,1,1,-;eth0: link up"], project="berth", container="a-1") == ""

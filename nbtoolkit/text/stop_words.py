"""English stop words: words that describe no image. Visually meaningful ones (old, small, full, two …) are not listed."""

STOP_WORDS = frozenset(
    """
    about above after again against all also although always among and another any anybody anyone anything are
    around aren because been before being below between both but can cannot could couldn did didn does doesn doing
    don done down during each either else ever every everyone everything few for from further get gets getting goes
    going gone got had hadn has hasn have haven having her here hers herself him himself his how however indeed
    instead into isn its itself just let like likely many may maybe mean might mine more most much must mustn myself
    near need neither never nor not nothing now off often once one only onto other others otherwise our ours
    ourselves out over own per perhaps quite rather really same seem seems several shall shan she should shouldn
    since some somebody someone something somewhat still such than that the their theirs them themselves then there
    these they thing things this those though through thus together too toward towards under until unto upon use
    used using various very via was wasn way well were weren what whatever when where whereas whether which while
    who whoever whom whose why will with within without won would wouldn yes yet you your yours yourself image
    picture photo
    """.split()
)
